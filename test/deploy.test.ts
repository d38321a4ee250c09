import { kinds } from '@serinus/api'
import { resources } from '@serinus/kube'
import { expect, test } from 'vitest'
import { generated, isCurrent, manifests, type Rule } from '../deploy/generate.ts'
import { canary, isHealthy, isPaused, type RunningReplica, replicaWorld } from './replica-world.ts'
import { namespace } from './virtual-cluster.ts'

test.each(Object.keys(generated) as (keyof typeof generated)[])(
  '%s in deploy/ is what is generated (renew with npm run build)',
  (name) => {
    expect(isCurrent(name)).toBe(true)
  },
)

/** Rules of a file, those of the whole cluster and those of the controller's namespace. */
function rulesOf(file: string, kind: 'ClusterRole' | 'Role'): readonly Rule[] {
  const roles = manifests(file).filter((manifest) => manifest.kind === kind)
  return roles.flatMap((role) => role['rules'] as readonly Rule[])
}

const verbs: Readonly<Record<string, string>> = {
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
}

/** What a request needs, as `verb group/resource in namespace`, unless the rules allow it. */
function refused(
  { sent }: RunningReplica,
  rules: { readonly everywhere: readonly Rule[]; readonly own: readonly Rule[] },
): readonly string[] {
  const needs = sent.map(({ method, path, query }) => {
    const [, group = '', rest = ''] = /^\/(?:api|apis\/([^/]+))\/[^/]+\/(.*)$/.exec(path) ?? []
    const parts = rest.split('/')
    const where = parts[0] === 'namespaces' && parts.length > 2 ? (parts[1] ?? '') : ''
    const [plural = '', name, subresource] = where ? parts.slice(2) : parts
    const reading = query.has('watch') ? 'watch' : name === undefined ? 'list' : 'get'
    const resource = subresource ? `${plural}/${subresource}` : plural
    return { group, resource, verb: verbs[method] ?? reading, where }
  })
  const allows = (rule: Rule, need: (typeof needs)[number]) =>
    rule.apiGroups.includes(need.group) &&
    rule.resources.includes(need.resource) &&
    rule.verbs.includes(need.verb)
  return needs
    .filter(
      (need) =>
        !rules.everywhere.some((rule) => allows(rule, need)) &&
        !(need.where === 'argo-rollouts' && rules.own.some((rule) => allows(rule, need))),
    )
    .map(({ verb, group, resource, where }) => `${verb} ${group}/${resource} in ${where}`)
}

const analysis = {
  apiVersion: 'argoproj.io/v1alpha1',
  kind: 'AnalysisTemplate',
  metadata: { name: 'job' },
  spec: {
    metrics: [
      {
        name: 'job',
        provider: {
          job: {
            spec: {
              template: {
                spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'a:1' }] },
              },
            },
          },
        },
      },
    ],
  },
}

const released = {
  steps: [{ setWeight: 50 }, { analysis: { templates: [{ templateName: 'job' }] } }, { pause: {} }],
  strategy: { canaryService: 'app-canary', stableService: 'app-stable' },
  metadata: {
    annotations: { 'notifications.argoproj.io/subscribe.on-rollout-completed.slack': 'x' },
  },
}

const services = ['app-canary', 'app-stable'].map((name) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: 'app' }, ports: [{ port: 80 }] },
}))

test('a release with Services, analysis by a Job and notifications asks for nothing that the roles do not allow', async () => {
  await using world = await replicaWorld()
  const a = world.replica('a', [], { POD_NAMESPACE: 'argo-rollouts' })
  await world.apply(...services, analysis, canary('app', released))
  await world.until('app', isHealthy)
  await world.setImage('app', 'app:v2')
  await world.until('app', isPaused)
  await world.promote('app')
  await world.until('app', isHealthy)
  await world.client.delete(kinds.rollouts, { namespace: 'default', name: 'app' })
  await world.pass(10_000)
  expect(a.sent.some(({ path }) => path.endsWith('/jobs'))).toBe(true)
  const everywhere = rulesOf('controller-rbac.yaml', 'ClusterRole')
  const own = rulesOf('controller-rbac.yaml', 'Role')
  expect(refused(a, { everywhere, own })).toEqual([])
  // The check can tell: without its rules nothing is allowed.
  expect(refused(a, { everywhere: [], own: [] }).length).toBe(a.sent.length)
})

test('the install for one namespace has no object of the cluster, and its Role is enough', async () => {
  const objects = manifests('namespace-install.yaml')
  expect(objects.map(({ kind }) => kind)).toEqual([
    'ServiceAccount',
    'Role',
    'RoleBinding',
    'Deployment',
    'Service',
  ])
  await using world = await replicaWorld()
  await world.client.create(resources.namespaces, namespace('shop'))
  const a = world.replica('a', ['--namespaced', '-n', 'shop'], { POD_NAMESPACE: 'shop' })
  await world.client.create(kinds.rollouts, {
    ...canary('app'),
    metadata: { name: 'app', namespace: 'shop' },
  })
  await world.pass(30_000)
  expect(isHealthy(await world.rollout('app', 'shop'))).toBe(true)
  const everywhere = rulesOf('namespace-install.yaml', 'Role')
  expect(refused(a, { everywhere, own: [] })).toEqual([])
})
