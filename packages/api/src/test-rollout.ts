import { parseRollout } from './parse.ts'
import { problemText } from './problem.ts'
import type { CanaryStrategy, Rollout, RolloutStatus } from './types.ts'
import { validateRollout } from './validation/rollout.ts'

/** `my-app` in `default`, selector and labels `app: my-app`, as the scenarios of spec api have it. */
export function myApp(
  spec: Readonly<Record<string, unknown>>,
  status: RolloutStatus = {},
): Rollout {
  const object = {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: { name: 'my-app', namespace: 'default', generation: 1 },
    spec: {
      replicas: 10,
      selector: { matchLabels: { app: 'my-app' } },
      template: {
        metadata: { labels: { app: 'my-app' } },
        spec: { containers: [{ name: 'app', image: 'my-app:v1' }] },
      },
      ...spec,
    },
    status,
  }
  return parseRollout(JSON.parse(JSON.stringify(object))).value
}

export function canaryApp(canary: CanaryStrategy | object, spec: object = {}): Rollout {
  return myApp({ ...spec, strategy: { canary } })
}

export const nginx = {
  canaryService: 'my-app-canary',
  stableService: 'my-app-stable',
  trafficRouting: { nginx: { stableIngress: 'my-app-ingress' } },
}

/** What a user reads about everything wrong with it. */
export function textsOf(rollout: Rollout): readonly string[] {
  return validateRollout(rollout).map(problemText)
}
