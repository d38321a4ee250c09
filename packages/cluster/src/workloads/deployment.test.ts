import fc from 'fast-check'
import { expect, test } from 'vitest'
import { timestamp } from '../pods/pod.ts'
import { type DeploymentPlan, planDeployment } from './deployment.ts'
import type { Deployment, ReplicaSet } from './objects.ts'

const origin = Date.parse('2026-01-01T12:00:00Z')

/** A Deployment whose plans are carried out at once; pods become available when told so. */
class World {
  now = origin
  deployment: Deployment
  sets: ReplicaSet[] = []
  readonly events: string[] = []
  #created = 0

  constructor(spec: Partial<Deployment['spec']>) {
    this.deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'default', uid: 'd-1', generation: 1 },
      spec: {
        replicas: 4,
        selector: { matchLabels: { app: 'web' } },
        template: template('v1'),
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } },
        revisionHistoryLimit: 10,
        progressDeadlineSeconds: 600,
        ...spec,
      },
    }
  }

  change(spec: Partial<Deployment['spec']>): void {
    const { metadata } = this.deployment
    this.deployment = {
      ...this.deployment,
      metadata: { ...metadata, generation: (metadata.generation ?? 0) + 1 },
      spec: { ...this.deployment.spec, ...spec },
    }
  }

  pass(): DeploymentPlan {
    const plan = planDeployment({
      deployment: this.deployment,
      replicaSets: this.sets,
      pods: [],
      now: this.now,
    })
    for (const set of plan.creates) {
      this.#created++
      const creationTimestamp = timestamp(origin + this.#created * 1000)
      const metadata = {
        ...set.metadata,
        uid: `rs-${this.#created}`,
        generation: 1,
        creationTimestamp,
      }
      this.sets.push({ ...set, metadata })
    }
    for (const set of plan.updates) {
      this.sets = this.sets.map((old) => (old.metadata.name === set.metadata.name ? set : old))
    }
    this.sets = this.sets.filter((set) => !plan.deletes.includes(set))
    const { metadata } = this.deployment
    const annotations = {
      ...metadata.annotations,
      ...(plan.revision && { 'deployment.kubernetes.io/revision': plan.revision }),
    }
    this.deployment = {
      ...this.deployment,
      metadata: { ...metadata, annotations },
      ...(plan.status && { status: plan.status }),
    }
    this.events.push(...plan.events.map(({ message }) => message))
    return plan
  }

  /** Pods follow the wanted sizes; those of images in `broken` never become available. */
  pods(broken: readonly string[] = []): void {
    this.sets = this.sets.map((set) => {
      const replicas = set.spec.replicas ?? 0
      const image = set.spec.template.spec.containers[0]?.image ?? ''
      const good = broken.includes(image) ? 0 : replicas
      return {
        ...set,
        status: {
          replicas,
          readyReplicas: good,
          availableReplicas: good,
          observedGeneration: set.metadata.generation ?? 0,
        },
      }
    })
  }

  settle(broken: readonly string[] = []): void {
    for (let passes = 0; passes < 100; passes++) {
      const plan = this.pass()
      const before = JSON.stringify(this.sets)
      this.pods(broken)
      const quiet = plan.status === null && plan.creates.length + plan.updates.length === 0
      if (quiet && JSON.stringify(this.sets) === before) return
    }
    throw new Error('the Deployment does not come to rest')
  }

  sizes(): Record<string, number> {
    return Object.fromEntries(
      this.sets.map((set) => [
        set.spec.template.spec.containers[0]?.image ?? '',
        set.spec.replicas ?? 0,
      ]),
    )
  }

  condition(type: string) {
    return this.deployment.status?.conditions?.find((condition) => condition.type === type)
  }
}

function template(image: string) {
  return { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'app', image }] } }
}

test('the first ReplicaSet carries the hash label, the selector and the annotations of a real one', () => {
  const world = new World({})
  const [set] = world.pass().creates
  const hash = set?.metadata.labels?.['pod-template-hash'] ?? ''
  expect(hash).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{1,10}$/)
  expect(set?.metadata.name).toBe(`web-${hash}`)
  expect(set?.spec.selector.matchLabels).toEqual({ app: 'web', 'pod-template-hash': hash })
  expect(set?.metadata.annotations).toEqual({
    'deployment.kubernetes.io/revision': '1',
    'deployment.kubernetes.io/desired-replicas': '4',
    'deployment.kubernetes.io/max-replicas': '5',
  })
  expect(world.events).toEqual([`Scaled up replica set web-${hash} from 0 to 4`])
  expect(world.condition('Progressing')).toMatchObject({
    reason: 'NewReplicaSetCreated',
    message: `Created new replica set "web-${hash}"`,
  })
})

test('a finished rollout says so and plans nothing more', () => {
  const world = new World({})
  world.settle()
  expect(world.condition('Available')?.reason).toBe('MinimumReplicasAvailable')
  expect(world.condition('Progressing')).toMatchObject({
    status: 'True',
    reason: 'NewReplicaSetAvailable',
  })
  const plan = world.pass()
  expect(plan).toEqual({
    creates: [],
    updates: [],
    deletes: [],
    revision: null,
    status: null,
    events: [],
    checkAt: null,
  })
})

test('a rolling update moves pod by pod within surge and unavailability', () => {
  const world = new World({})
  world.settle()
  world.change({ template: template('v2') })
  world.pass()
  expect(world.sizes()).toEqual({ v1: 3, v2: 1 })
  world.pass()
  expect(world.sizes()).toEqual({ v1: 3, v2: 2 })
  world.pass()
  expect(world.sizes()).toEqual({ v1: 3, v2: 2 })
  world.settle()
  expect(world.sizes()).toEqual({ v1: 0, v2: 4 })
  expect(world.deployment.metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('2')
})

test('a rolling update with a bad image stops at maxUnavailable and says ProgressDeadlineExceeded in time', () => {
  const world = new World({ replicas: 10, progressDeadlineSeconds: 60 })
  world.settle()
  world.change({
    template: template('broken'),
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
  })
  world.settle(['broken'])
  expect(world.sizes()).toEqual({ v1: 8, broken: 5 })
  const { checkAt } = world.pass()
  expect(checkAt).toBe(origin + 61_000)
  world.now = origin + 60_000
  world.settle(['broken'])
  expect(world.condition('Progressing')?.reason).not.toBe('ProgressDeadlineExceeded')
  world.now = origin + 61_000
  world.settle(['broken'])
  expect(world.condition('Progressing')).toMatchObject({
    status: 'False',
    reason: 'ProgressDeadlineExceeded',
  })
  expect(world.condition('Progressing')?.message).toMatch(
    /^ReplicaSet "web-[a-z0-9]+" has timed out progressing\.$/,
  )
  expect(world.pass().checkAt).toBeNull()
})

test('going back to an old template reuses its ReplicaSet under a new revision', () => {
  const world = new World({})
  world.settle()
  world.change({ template: template('v2') })
  world.settle()
  world.change({ template: template('v1') })
  world.settle()
  expect(world.sets).toHaveLength(2)
  const back = world.sets.find((set) => set.spec.replicas === 4)
  expect(back?.metadata.annotations).toMatchObject({
    'deployment.kubernetes.io/revision': '3',
    'deployment.kubernetes.io/revision-history': '1',
  })
})

test('a paused Deployment follows its size but not its template', () => {
  const world = new World({})
  world.settle()
  world.change({ paused: true, template: template('v2'), replicas: 6 })
  world.settle()
  expect(world.sizes()).toEqual({ v1: 6 })
  expect(world.condition('Progressing')?.reason).toBe('DeploymentPaused')
  world.change({ paused: false })
  world.settle()
  expect(world.sizes()).toEqual({ v1: 0, v2: 6 })
})

test('a resize in the middle of a rollout is shared out in proportion', () => {
  const world = new World({
    replicas: 10,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } },
  })
  world.settle()
  world.change({ template: template('broken') })
  world.settle(['broken'])
  expect(world.sizes()).toEqual({ v1: 8, broken: 5 })
  // The example of the Kubernetes documentation: 10 to 15 adds three old and two new pods.
  world.change({ replicas: 15 })
  world.settle(['broken'])
  expect(world.sizes()).toEqual({ v1: 11, broken: 7 })
})

test('Recreate removes every old pod before the first new one', () => {
  const world = new World({ strategy: { type: 'Recreate' } })
  world.settle()
  world.change({ template: template('v2') })
  world.pass()
  expect(world.sizes()).toEqual({ v1: 0 })
  world.pass()
  expect(world.sizes()).toEqual({ v1: 0 })
  world.pods()
  world.pass()
  expect(world.sizes()).toEqual({ v1: 0, v2: 4 })
})

test('only as many old ReplicaSets are kept as revisionHistoryLimit says, the oldest go', () => {
  const world = new World({ revisionHistoryLimit: 1 })
  for (const image of ['v1', 'v2', 'v3', 'v4']) {
    world.change({ template: template(image) })
    world.settle()
  }
  world.pass()
  expect(world.sizes()).toEqual({ v3: 0, v4: 4 })
})

test('whatever the sizes, a rolling update ends, and never leaves the bounds', () => {
  const bound = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom('10%', '25%', '100%'))
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      bound,
      bound,
      (replicas, maxSurge, maxUnavailable) => {
        fc.pre(maxSurge !== 0 || maxUnavailable !== 0)
        const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } }
        const world = new World({ replicas, strategy })
        world.settle()
        world.change({ template: template('v2') })
        const share = (value: number | string, up: boolean) => {
          if (typeof value === 'number') return value
          const exact = (Number.parseInt(value, 10) * replicas) / 100
          return up ? Math.ceil(exact) : Math.floor(exact)
        }
        const surge = share(maxSurge, true)
        const missing = share(maxUnavailable, false)
        const unavailable = surge === 0 && missing === 0 ? 1 : missing
        for (let passes = 0; passes < 100; passes++) {
          world.pass()
          const total = world.sets.reduce((sum, set) => sum + (set.spec.replicas ?? 0), 0)
          const ready = world.sets.reduce(
            (sum, set) =>
              sum + Math.min(set.spec.replicas ?? 0, set.status?.availableReplicas ?? 0),
            0,
          )
          expect(total).toBeLessThanOrEqual(replicas + surge)
          expect(ready).toBeGreaterThanOrEqual(replicas - unavailable)
          world.pods()
        }
        expect(world.sizes()).toEqual({ v1: 0, v2: replicas })
      },
    ),
    { numRuns: 60 },
  )
})
