import type { TrafficRouting } from '@serinus/api'
import type { DesiredRoutes, Ingress, IngressBackend, Transition, Write } from '@serinus/engine'
import { mergePatch, resources } from '@serinus/kube'
import type { Router, RouterFacts, RouterPlan } from './router.ts'

type Config = NonNullable<TrafficRouting['nginx']>
type Rules = NonNullable<NonNullable<Ingress['spec']>['rules']>

const defaultPrefix = 'nginx.ingress.kubernetes.io'
/** Which annotation keys were put on the canary Ingress for the user, so that a key taken from the spec leaves again. */
const injectedKey = 'rollouts.argoproj.io/injected-annotations'

/**
 * ingress-nginx: a second Ingress with canary annotations beside the stable one, which is never modified
 * (spec traffic-routing 5.1; argo-rollouts: rollout/trafficrouting/nginx/nginx.go).
 */
export const nginx: Router<Config> = {
  type: 'Nginx',
  observe(config, facts) {
    const weights = stableIngresses(config).map((name) => observedWeight(config, facts, name))
    const first = weights[0] ?? null
    return {
      type: 'Nginx',
      weight: weights.every((w) => w === first) ? first : null,
      verified: null,
    }
  },
  plan(config, facts, routes) {
    const writes: Write[] = []
    const transitions: Transition[] = []
    for (const name of stableIngresses(config)) {
      const part = planOne(config, facts, { routes, stableIngress: name })
      if (!part.ok) return part
      writes.push(...part.writes)
      transitions.push(...part.transitions)
    }
    return { ok: true, writes, transitions }
  },
}

function stableIngresses(config: Config): readonly string[] {
  return config.stableIngresses?.length
    ? config.stableIngresses
    : config.stableIngress
      ? [config.stableIngress]
      : []
}

/** `<rollout>-<stableIngress>-canary`, cut so that the whole has at most 253 characters. */
export function canaryIngressName(rollout: string, stableIngress: string): string {
  return `${`${rollout}-${stableIngress}`.slice(0, 246)}-canary`
}

/** No canary Ingress, or one that is switched off, sends nothing to the canary: that is a weight of 0. */
function observedWeight(config: Config, facts: RouterFacts, stableIngress: string): number | null {
  const prefix = config.annotationPrefix || defaultPrefix
  const present = ingressNamed(facts, canaryIngressName(facts.rollout.name, stableIngress))
  const annotations = present?.metadata.annotations
  if (annotations?.[`${prefix}/canary`] !== 'true') return 0
  const weight = Number(annotations[`${prefix}/canary-weight`])
  return Number.isInteger(weight) ? weight : null
}

function ingressNamed(facts: RouterFacts, name: string): Ingress | undefined {
  return facts.objects.ingresses.find((ingress) => ingress.metadata.name === name)
}

interface Part {
  readonly routes: DesiredRoutes
  readonly stableIngress: string
}

function planOne(config: Config, facts: RouterFacts, part: Part): RouterPlan {
  const stable = ingressNamed(facts, part.stableIngress)
  if (!stable) {
    return fail(
      `error retrieving stableIngress \`${part.stableIngress}\` from cache: ingress.networking.k8s.io "${part.stableIngress}" not found`,
    )
  }
  const desired = desiredIngress(config, facts, { ...part, stable })
  if (!desired) {
    return fail(
      `ingress \`${part.stableIngress}\` has no rules using service ${part.routes.stable.service} backend`,
    )
  }
  const name = desired.metadata.name
  const present = ingressNamed(facts, name)
  if (!present) {
    return {
      ok: true,
      writes: [
        { kind: 'create', id: `ingress/${name}`, resource: resources.ingresses, object: desired },
      ],
      transitions: [
        {
          type: 'Normal',
          reason: 'CreatingCanaryIngress',
          message: `Creating canary ingress \`${name}\` with weight \`${part.routes.weight}\``,
          after: `ingress/${name}`,
        },
      ],
    }
  }
  const owner = present.metadata.ownerReferences?.find((reference) => reference.controller)
  if (owner?.uid !== part.routes.rollout.uid) {
    return fail(`canary ingress \`${name}\` controlled by different object`)
  }
  const annotations = mergePatch(present.metadata.annotations ?? {}, keepForeign(present, desired))
  const spec = mergePatch(present.spec ?? {}, desired.spec ?? {})
  if (annotations === undefined && spec === undefined)
    return { ok: true, writes: [], transitions: [] }
  return {
    ok: true,
    writes: [
      {
        kind: 'patch',
        id: `ingress/${name}`,
        resource: resources.ingresses,
        key: { namespace: facts.rollout.namespace, name },
        patch: {
          kind: 'merge',
          body: {
            ...(annotations === undefined ? {} : { metadata: { annotations } }),
            ...(spec === undefined ? {} : { spec }),
          },
        },
      },
    ],
    transitions: [
      {
        type: 'Normal',
        reason: 'PatchingCanaryIngress',
        message: `Updating Ingress \`${name}\` to desiredWeight '${part.routes.weight}'`,
        after: `ingress/${name}`,
      },
    ],
  }
}

function fail(detail: string): RouterPlan {
  return { ok: false, reason: 'TrafficRoutingError', detail }
}

/** Annotations that others put there stay; those that we once injected and no longer want go. */
function keepForeign(present: Ingress, desired: Ingress): Record<string, string> {
  const ours = new Set((present.metadata.annotations?.[injectedKey] ?? '').split(','))
  const kept = Object.entries(present.metadata.annotations ?? {}).filter(
    ([key]) => !ours.has(key) && key !== injectedKey,
  )
  return { ...Object.fromEntries(kept), ...desired.metadata.annotations }
}

function desiredIngress(
  config: Config,
  facts: RouterFacts,
  part: Part & { readonly stable: Ingress },
): Ingress | null {
  const { stable, routes } = part
  const rules = canaryRules(stable, routes)
  if (rules.length === 0) return null
  const prefix = config.annotationPrefix || defaultPrefix
  const injected: Record<string, string> = {}
  for (const [key, value] of Object.entries<string>(config.additionalIngressAnnotations ?? {})) {
    injected[key.startsWith(prefix) ? key : `${prefix}/${key}`] = value
  }
  Object.assign(injected, config.canaryIngressAnnotations)
  const ingressClass = stable.metadata.annotations?.['kubernetes.io/ingress.class']
  const injectedKeys = Object.keys(injected).sort().join(',')
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      name: canaryIngressName(facts.rollout.name, part.stableIngress),
      namespace: facts.rollout.namespace,
      annotations: {
        ...(ingressClass ? { 'kubernetes.io/ingress.class': ingressClass } : {}),
        ...injected,
        ...(injectedKeys ? { [injectedKey]: injectedKeys } : {}),
        [`${prefix}/canary`]: 'true',
        [`${prefix}/canary-weight`]: String(routes.weight),
        ...(routes.max === 100 ? {} : { [`${prefix}/canary-weight-total`]: String(routes.max) }),
      },
      ownerReferences: [
        {
          apiVersion: 'argoproj.io/v1alpha1',
          kind: 'Rollout',
          name: routes.rollout.name,
          uid: routes.rollout.uid,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      ...(stable.spec?.ingressClassName ? { ingressClassName: stable.spec.ingressClassName } : {}),
      ...(stable.spec?.tls ? { tls: stable.spec.tls } : {}),
      rules,
    },
  }
}

/** Only paths that lead to the stable Service are mirrored, so that no other path of the host gets a canary. */
function canaryRules(stable: Ingress, routes: DesiredRoutes): Rules {
  const leadsToStable = (backend: IngressBackend | undefined) =>
    backend?.service?.name === routes.stable.service
  return (stable.spec?.rules ?? []).flatMap((rule) => {
    const paths = (rule.http?.paths ?? [])
      .filter((path) => leadsToStable(path.backend))
      .map((path) => ({
        ...path,
        backend: { service: { ...path.backend?.service, name: routes.canary.service } },
      }))
    return paths.length > 0 ? [{ ...rule, http: { ...rule.http, paths } }] : []
  })
}
