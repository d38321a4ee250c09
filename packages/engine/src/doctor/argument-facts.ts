import { type AnalysisRunArgument, type Argument, fieldOfRollout, type Rollout } from '@serinus/api'

/** What is known of an argument before the run. */
interface ArgumentFact {
  /** Null: known only when the run is made. */
  readonly value: string | null
  /** Whether it names one version of the application. Null: it may. */
  readonly tellsVersion: boolean | null
}

export type ArgumentFacts = ReadonlyMap<string, ArgumentFact>

const unknown: ArgumentFact = { value: null, tellsVersion: null }

/** Of a template on its own: callers may override every value. */
export function factsOfTemplate(args: readonly Argument[]): ArgumentFacts {
  return new Map(
    args.map(({ name, value }) => [
      name,
      value === undefined ? unknown : { value, tellsVersion: null },
    ]),
  )
}

/** Of templates as a Rollout uses them. */
export function factsOfUse(
  rollout: Rollout,
  facts: {
    readonly declared: readonly Argument[]
    readonly passed: readonly AnalysisRunArgument[]
  },
): ArgumentFacts {
  const names = versionNames(rollout)
  const ofText = (value: string): ArgumentFact => ({
    value,
    tellsVersion: tellsVersion(value, names),
  })
  const result = new Map<string, ArgumentFact>()
  for (const { name, value } of facts.declared) {
    result.set(name, value === undefined ? unknown : ofText(value))
  }
  for (const { name, value, valueFrom } of facts.passed) {
    if (!result.has(name)) continue
    if (value !== undefined) result.set(name, ofText(value))
    else if (valueFrom?.podTemplateHashValue) result.set(name, { value: null, tellsVersion: true })
    else if (valueFrom?.fieldRef) result.set(name, ofField(valueFrom.fieldRef.fieldPath))
  }
  return result

  function ofField(path: string): ArgumentFact {
    if (path.startsWith('status')) return unknown
    const field = fieldOfRollout(rollout, path)
    return field.ok && field.value !== '' ? ofText(field.value) : unknown
  }
}

/** Names that stand for the new version alone. */
export function versionNames(rollout: Rollout): readonly string[] {
  const { canary, blueGreen } = rollout.spec.strategy ?? {}
  const { istio, appMesh } = canary?.trafficRouting ?? {}
  const names = [
    canary?.canaryService,
    canary?.pingPong?.pingService,
    canary?.pingPong?.pongService,
    blueGreen?.previewService,
    istio?.destinationRule?.canarySubsetName,
    appMesh?.virtualNodeGroup?.canaryVirtualNodeRef?.name,
  ]
  return names.filter((name): name is string => Boolean(name))
}

/** Does a text name one version: by one of the names, as a whole word, or by what versions are called everywhere? */
export function tellsVersion(text: string, names: readonly string[]): boolean {
  if (/canary|preview|baseline|\{\{/i.test(text)) return true
  return names.some((name) => {
    const at = text.indexOf(name)
    const around = `${text[at - 1] ?? ' '}${text[at + name.length] ?? ' '}`
    return at >= 0 && !/[\w-]/.test(around)
  })
}
