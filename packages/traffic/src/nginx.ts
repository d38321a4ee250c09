import { names, type TrafficRouting } from '@serinus/api'
import { type DesiredRoutes, type Ingress, noManagedRoutes } from '@serinus/engine'
import { mergePatch, resources } from '@serinus/kube'
import { copiedLabels, isOurs, ownerReferences } from './own-objects.ts'
import type { Router, RouterFacts, RouterPlan } from './router.ts'
import { failed, planOf } from './router-plan.ts'
import { objectNamed, objectsOf, type RoutedKind } from './routing-objects.ts'

type Config = NonNullable<TrafficRouting['nginx']>
type Rules = NonNullable<NonNullable<Ingress['spec']>['rules']>

const defaultPrefix = 'nginx.ingress.kubernetes.io'
/** Which annotation keys were put on the canary Ingress for the user, so that a key taken from the spec leaves again. */
const injectedKey = 'rollouts.argoproj.io/injected-annotations'
const classKey = 'kubernetes.io/ingress.class'
const ingressKind: RoutedKind = { ...resources.ingresses, versions: ['v1'] }

/**
 * ingress-nginx: a second Ingress with canary annotations beside the stable one, which is never modified
 * (spec traffic-routing 5.1; argo-rollouts: rollout/trafficrouting/nginx/nginx.go).
 */
export const nginx: Router<Config> = {
  type: 'Nginx',
  // Canary Ingresses of names that have left the spec are known by their owner.
  watches: (_config, { rollout: { namespace } }) => [{ kind: ingressKind, namespace }],
  observe(config, facts) {
    const weights = new Set(
      stableIngresses(config).map((name) => observedWeight(config, facts, name)),
    )
    const [weight = null] = weights
    return {
      type: 'Nginx',
      weight: weights.size === 1 ? weight : null,
      verified: null,
      managedRoutes: noManagedRoutes,
    }
  },
  plan(config, facts, routes) {
    return stableIngresses(config).map((name) =>
      planOne(config, facts, { routes, stableIngress: name }),
    )
  },
  removals(config, facts) {
    const wanted = new Set(
      (config ? stableIngresses(config) : []).map((name) =>
        names.canaryIngress(facts.rollout.name, name),
      ),
    )
    return objectsOf<Ingress>(facts.objects, ingressKind)
      .filter((ingress) => isOurs(ingress, facts) && isCanary(ingress))
      .filter(({ metadata }) => !wanted.has(metadata.name) && !metadata.deletionTimestamp)
      .map(({ metadata: { name, uid } }) => ({
        kind: 'delete',
        id: `ingress/${name}`,
        resource: resources.ingresses,
        key: { namespace: facts.rollout.namespace, name },
        ...(uid ? { uid } : {}),
      }))
  },
  // The canary Ingress goes with its owner.
  release: () => [],
}

function stableIngresses(config: Config): readonly string[] {
  if (config.stableIngresses?.length) return config.stableIngresses
  return config.stableIngress ? [config.stableIngress] : []
}

/** No canary Ingress, or one that is switched off, sends nothing to the canary: that is a weight of 0. */
function observedWeight(config: Config, facts: RouterFacts, stableIngress: string): number | null {
  const prefix = prefixOf(config)
  const present = ingressNamed(facts, names.canaryIngress(facts.rollout.name, stableIngress))
  const annotations = present?.metadata.annotations
  if (annotations?.[`${prefix}/canary`] !== 'true') return 0
  const weight = Number(annotations[`${prefix}/canary-weight`] || Number.NaN)
  const total = Number(annotations[`${prefix}/canary-weight-total`] || 100)
  // Another total than ours means another share: brought to our scale, so that 15 of 1000 is not taken for 15 %.
  const scaled = total === facts.max ? weight : (weight * facts.max) / total
  return Number.isFinite(scaled) ? scaled : null
}

function prefixOf(config: Config): string {
  return config.annotationPrefix || defaultPrefix
}

function ingressNamed(facts: RouterFacts, name: string): Ingress | undefined {
  const { namespace } = facts.rollout
  const found = objectNamed<Ingress>(facts.objects, ingressKind, { namespace, name })
  return found.kind === 'present' ? found.object : undefined
}

/** Under any prefix: the one it was made with may have left the spec too. */
function isCanary(ingress: Ingress): boolean {
  return Object.entries(ingress.metadata.annotations ?? {}).some(
    ([key, value]) => key.endsWith('/canary') && value === 'true',
  )
}

interface Part {
  readonly routes: DesiredRoutes
  readonly stableIngress: string
}

function planOne(config: Config, facts: RouterFacts, part: Part): RouterPlan {
  const stable = ingressNamed(facts, part.stableIngress)
  if (!stable) {
    return failed(
      `error retrieving stableIngress \`${part.stableIngress}\` from cache: ingress.networking.k8s.io "${part.stableIngress}" not found`,
    )
  }
  const desired = desiredIngress(config, facts, { ...part, stable })
  if (!desired) {
    return failed(
      `ingress \`${part.stableIngress}\` has no rules using service ${part.routes.stable.service} backend`,
    )
  }
  const { name } = desired.metadata
  const { weight } = part.routes
  const id = `ingress/${name}`
  const resource = resources.ingresses
  const present = ingressNamed(facts, name)
  if (!present) {
    return planOf({ kind: 'create', id, resource, object: withLabels(desired, stable) }, [
      'CreatingCanaryIngress',
      `Creating canary ingress \`${name}\` with weight \`${weight}\``,
    ])
  }
  if (!isOurs(present, facts))
    return failed(`canary ingress \`${name}\` controlled by different object`)
  const body = difference(present, desired, {
    key: `${prefixOf(config)}/canary-weight-total`,
    max: part.routes.max,
  })
  if (!body) return planOf(null)
  const key = { namespace: facts.rollout.namespace, name }
  return planOf({ kind: 'patch', id, resource, key, patch: { kind: 'merge', body } }, [
    'PatchingCanaryIngress',
    `Updating Ingress \`${name}\` to desiredWeight '${weight}'`,
  ])
}

interface Total {
  readonly key: string
  readonly max: number
}

/** What is ours is replaced: annotations that we put there and the whole spec. Labels are everybody's. */
function difference(present: Ingress, desired: Ingress, total: Total): object | undefined {
  const annotations = mergePatch(
    present.metadata.annotations ?? {},
    keepForeign(present, desired, total),
  )
  const spec = mergePatch(present.spec ?? {}, desired.spec ?? {})
  if (!annotations && !spec) return undefined
  return { ...(annotations && { metadata: { annotations } }), ...(spec && { spec }) }
}

/** Annotations that others put there stay; those that we once injected and no longer want go. */
function keepForeign(present: Ingress, desired: Ingress, total: Total): Record<string, string> {
  const before = present.metadata.annotations ?? {}
  const ours = new Set([injectedKey, ...(before[injectedKey] ?? '').split(',')])
  // It changes what the weight means, so it is never a neighbour's; one that says the same may stay.
  if (before[total.key] !== String(total.max)) ours.add(total.key)
  const kept = Object.entries(before).filter(([key]) => !ours.has(key))
  return { ...Object.fromEntries(kept), ...desired.metadata.annotations }
}

/** Only at creation: later labels belong to whoever sets them. */
function withLabels(desired: Ingress, stable: Ingress): Ingress {
  return { ...desired, metadata: { ...desired.metadata, ...copiedLabels(stable) } }
}

function desiredIngress(
  config: Config,
  facts: RouterFacts,
  part: Part & { readonly stable: Ingress },
): Ingress | null {
  const { stable, routes } = part
  const rules = canaryRules(stable, routes)
  if (rules.length === 0) return null
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      name: names.canaryIngress(facts.rollout.name, part.stableIngress),
      namespace: facts.rollout.namespace,
      annotations: desiredAnnotations(config, stable, routes),
      ownerReferences: ownerReferences(facts),
    },
    spec: {
      ...(stable.spec?.ingressClassName ? { ingressClassName: stable.spec.ingressClassName } : {}),
      ...(stable.spec?.tls ? { tls: stable.spec.tls } : {}),
      rules,
    },
  }
}

/** The user's come first, so that the weight that was computed wins over one that was written down. */
function desiredAnnotations(
  config: Config,
  stable: Ingress,
  routes: DesiredRoutes,
): Record<string, string> {
  const prefix = prefixOf(config)
  const additional = Object.entries(config.additionalIngressAnnotations ?? {}).map(
    ([key, value]) => [key.startsWith(prefix) ? key : `${prefix}/${key}`, value],
  )
  const injected: Record<string, string> = {
    ...Object.fromEntries(additional),
    ...config.canaryIngressAnnotations,
  }
  const injectedKeys = Object.keys(injected).sort().join(',')
  const ingressClass = stable.metadata.annotations?.[classKey]
  return {
    ...(ingressClass ? { [classKey]: ingressClass } : {}),
    ...injected,
    ...(injectedKeys ? { [injectedKey]: injectedKeys } : {}),
    [`${prefix}/canary`]: 'true',
    [`${prefix}/canary-weight`]: String(routes.weight),
    ...(routes.max === 100 ? {} : { [`${prefix}/canary-weight-total`]: String(routes.max) }),
  }
}

/** Only paths that lead to the stable Service are mirrored, so that no other path of the host gets a canary. */
function canaryRules(stable: Ingress, routes: DesiredRoutes): Rules {
  return (stable.spec?.rules ?? []).flatMap((rule) => {
    const paths = (rule.http?.paths ?? [])
      .filter((path) => path.backend?.service?.name === routes.stable.service)
      .map((path) => ({
        ...path,
        backend: { service: { ...path.backend?.service, name: routes.canary.service } },
      }))
    return paths.length > 0 ? [{ ...rule, http: { ...rule.http, paths } }] : []
  })
}
