import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AnalysisTemplate } from '@serinus/api'
import type { UnknownObject } from '@serinus/kube'
import { afterEach, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { run, start, TestCluster } from './test-cluster.ts'

const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** The path of a file with these documents, or this text. */
function file(name: string, ...documents: readonly (object | string)[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'create-'))
  folders.push(folder)
  const path = join(folder, name)
  const texts = documents.map((each) => (typeof each === 'string' ? each : stringify(each)))
  writeFileSync(path, texts.join('---\n'))
  return path
}

const argo = (kind: string, metadata: object, spec: object): UnknownObject => ({
  apiVersion: 'argoproj.io/v1alpha1',
  kind,
  metadata: metadata as UnknownObject['metadata'],
  spec,
})

const rollout = (metadata: object, more: object = {}) =>
  argo('Rollout', metadata, {
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'app', image: 'app:1' }] },
    },
    strategy: { canary: {} },
    ...more,
  })

const web = { web: { url: 'http://checks/{{args.service}}' } }

function template(
  name: string,
  spec: Partial<AnalysisTemplate['spec']> = {},
  more: { readonly kind?: string; readonly metadata?: object } = {},
): UnknownObject {
  const { kind = 'AnalysisTemplate', metadata } = more
  const place = kind === 'AnalysisTemplate' ? { namespace: 'shop' } : {}
  return argo(
    kind,
    { name, ...place, ...metadata },
    { metrics: [{ name: `${name}-metric`, provider: web }], ...spec },
  )
}

const cluster = (...objects: readonly UnknownObject[]) => new TestCluster().put(...objects)

describe('create -f', () => {
  test('sends the object as it is written, to the namespace that it names or the own one', async () => {
    const shop = cluster()
    const own = rollout({ name: 'web' })
    const other = rollout({ name: 'web', namespace: 'bar' })
    const { code, out, err } = await run(shop, [
      'create',
      '-f',
      file('a.yaml', own),
      '--filename',
      file('b.json', JSON.stringify(other)),
    ])
    expect({ code, out, err }).toEqual({
      code: 0,
      out: 'rollout.argoproj.io/web created\nrollout.argoproj.io/web created\n',
      err: '',
    })
    expect(shop.requests).toEqual([
      {
        text: 'create rollouts/shop/web',
        body: { ...own, metadata: { name: 'web', namespace: 'shop' } },
      },
      { text: 'create rollouts/bar/web', body: other },
    ])
  })

  test.each(['Experiment', 'AnalysisTemplate', 'AnalysisRun'])(
    'knows the kind %s',
    async (kind) => {
      const shop = cluster()
      const spec = kind === 'Experiment' ? { templates: [] } : { metrics: [] }
      const path = file('a.yaml', argo(kind, { name: 'a' }, spec))
      expect((await run(shop, ['create', '-f', path])).out).toBe(
        `${kind.toLowerCase()}.argoproj.io/a created\n`,
      )
      expect(shop.requests).toMatchObject([{ text: `create ${kind.toLowerCase()}s/shop/a` }])
    },
  )

  test('takes a run that names templates', async () => {
    const spec = { templates: [{ templateName: 'success-rate' }] }
    const path = file('run.yaml', argo('AnalysisRun', { generateName: 'dry-' }, spec))
    const shop = cluster()
    expect((await run(shop, ['create', '-f', path])).out).toBe(
      'analysisrun.argoproj.io/dry-xyz created\n',
    )
    expect(shop.requests).toMatchObject([{ body: { spec } }])
  })

  test('creates a ClusterAnalysisTemplate in the cluster and names it so [cli 47]', async () => {
    const shop = cluster()
    const object = template('rate', {}, { kind: 'ClusterAnalysisTemplate' })
    const { code, out } = await run(shop, ['create', '-f', file('cat.yaml', object)])
    expect({ code, out }).toEqual({
      code: 0,
      out: 'clusteranalysistemplate.argoproj.io/rate created\n',
    })
    expect(shop.requests).toEqual([{ text: 'create clusteranalysistemplates/rate', body: object }])
  })

  test('creates every object of a file', async () => {
    const path = file('all.yaml', template('rate'), rollout({ name: 'web' }))
    expect((await run(cluster(), ['create', '-f', path])).out).toBe(
      'analysistemplate.argoproj.io/rate created\nrollout.argoproj.io/web created\n',
    )
  })

  test.each([
    [
      'a field that the kind does not have',
      rollout({ name: 'web' }, { replica: 1 }),
      /^Error: error unmarshaling JSON: while decoding JSON: json: unknown field "replica" \(.*a\.yaml at spec\.replica: .*did you mean "replicas"\?\)\n$/,
    ],
    [
      'a key that is there twice',
      'apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nkind: Rollout\n',
      /^Error: error converting YAML to JSON: yaml: line \d+: .*unique.* \(.*a\.yaml.*\)\n$/,
    ],
    ['text that is no YAML', '{', /^Error: error converting YAML to JSON: yaml: line \d+: /],
    [
      'a number in place of an object',
      argo('Rollout', { name: 'web' }, { strategy: 3 }),
      /^Error: spec\.strategy: Invalid value: 3: must be of type object/,
    ],
    [
      'another kind',
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } },
      /^Error: creates of \/ConfigMap unsupported\n$/,
    ],
    [
      'the like-named kind of another group',
      { apiVersion: 'apps/v1', kind: 'Rollout', metadata: { name: 'a' } },
      /^Error: creates of apps\/Rollout unsupported\n$/,
    ],
    ['nothing', '', /^Error: .*a\.yaml holds no object\n$/],
  ])('refuses %s, and creates nothing then', async (_, document, message) => {
    const shop = cluster()
    const flags = [
      '-f',
      file('good.yaml', rollout({ name: 'good' })),
      '-f',
      file('a.yaml', document),
    ]
    const { code, out, err } = await run(shop, ['create', ...flags])
    expect([code, out]).toEqual([1, ''])
    expect(err).toMatch(message)
    expect(shop.requests).toEqual([])
  })

  test('names a file that is not there', async () => {
    expect(await run(cluster(), 'create -f /nowhere.yaml')).toMatchObject({
      code: 1,
      err: 'Error: open /nowhere.yaml: no such file or directory\n',
    })
  })

  test('says what the server says, after the lines of what was created before', async () => {
    const shop = cluster(rollout({ name: 'web', namespace: 'shop' }))
    const path = file('a.yaml', rollout({ name: 'first' }), rollout({ name: 'web' }))
    expect(await run(shop, ['create', '-f', path])).toMatchObject({
      code: 1,
      out: 'rollout.argoproj.io/first created\n',
      err: 'Error: rollouts.argoproj.io "web" already exists\n',
    })
  })

  test('without a file prints how it is used', async () => {
    const { code, out, err } = await run(cluster(), 'create')
    expect([code, out]).toEqual([1, ''])
    expect(err).toMatch(/kubectl-argo-rollouts create/)
    expect(err).not.toMatch(/^Error/)
    expect(err).toMatch(/analysisrun +Create an AnalysisRun/)
  })
})

describe('create -w', () => {
  test('shows the Rollout in its namespace once it is there [cli 46]', async () => {
    const shop = cluster()
    const path = file('ro.yaml', rollout({ name: 'web', namespace: 'bar' }))
    const watch = start(shop, ['create', '-f', path, '-w', '--no-color'])
    await watch.clock.advance(0)
    expect(watch.screens[0]).toBe('rollout.argoproj.io/web created\n')
    expect(watch.screens[1]).toMatch(/Name: +web\nNamespace: +bar\n/)
    watch.interrupt()
    expect(await watch.ended).toMatchObject({ code: 0, err: '' })
  })

  test('shows an Experiment', async () => {
    const path = file('ex.yaml', argo('Experiment', { name: 'trial' }, { templates: [] }))
    const watch = start(cluster(), ['create', '-f', path, '-w', '--no-color'])
    await watch.clock.advance(0)
    expect(watch.screens[1]).toMatch(/Name: +trial\n/)
    watch.interrupt()
    expect(await watch.ended).toMatchObject({ code: 0, err: '' })
  })

  test('of another kind is refused after it is created', async () => {
    expect(
      await run(cluster(), ['create', '-w', '-f', file('a.yaml', template('rate'))]),
    ).toMatchObject({
      code: 1,
      out: 'analysistemplate.argoproj.io/rate created\n',
      err: 'Error: Can only watch resources of type Rollout or Experiment\n',
    })
  })

  test('of several objects is refused before anything is created', async () => {
    const shop = cluster()
    const path = file('a.yaml', rollout({ name: 'a' }), rollout({ name: 'b' }))
    expect(await run(shop, ['create', '-w', '-f', path])).toMatchObject({
      code: 1,
      err: 'Error: Cannot watch multiple resources\n',
    })
    expect(shop.requests).toEqual([])
  })
})

describe('create analysisrun', () => {
  const args = [{ name: 'service' }, { name: 'path', value: '/' }]
  const bodyOf = (shop: TestCluster) => shop.writes[0]?.body

  test('makes a run of a template of the cluster, with the arguments given', async () => {
    const metadata = {
      uid: 'u',
      resourceVersion: '7',
      labels: { team: 'a' },
      annotations: { note: 'b', 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
    }
    const shop = cluster(template('rate', { args }, { metadata }))
    const words = 'create analysisrun --from rate -a service=x -a path=/a=b'
    const { code, out, err } = await run(shop, words)
    expect({ code, out, err }).toEqual({
      code: 0,
      out: 'analysisrun.argoproj.io/rate-xyz created\n',
      err: '',
    })
    expect(shop.requests.map(({ text }) => text)).toEqual([
      'get analysistemplates/shop/rate',
      'create analysisruns/shop/rate-xyz',
    ])
    expect(bodyOf(shop)).toEqual({
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'AnalysisRun',
      metadata: {
        name: '',
        generateName: 'rate-',
        namespace: 'shop',
        labels: { team: 'a' },
        annotations: { note: 'b' },
      },
      spec: {
        metrics: [{ name: 'rate-metric', provider: web }],
        args: [
          { name: 'service', value: 'x' },
          { name: 'path', value: '/a=b' },
        ],
      },
    })
  })

  test('resolves the templates that the template refers to, each read once', async () => {
    const nested = (...names: readonly string[]) => ({
      templates: names.map((templateName) => ({ templateName })),
    })
    const global = { kind: 'ClusterAnalysisTemplate' }
    const shop = cluster(
      template('all', { ...nested('rate', 'latency'), metrics: [] }),
      template('rate', { ...nested('base'), args }),
      template('latency', nested('base')),
      template('base', {}, global),
    )
    expect(await run(shop, 'create ar --from all -a service=x')).toMatchObject({ code: 0, err: '' })
    expect(bodyOf(shop)).toMatchObject({
      metadata: { generateName: 'all-' },
      spec: {
        metrics: [{ name: 'rate-metric' }, { name: 'latency-metric' }, { name: 'base-metric' }],
        args: [
          { name: 'service', value: 'x' },
          { name: 'path', value: '/' },
        ],
      },
    })
    expect(bodyOf(shop)).not.toHaveProperty('spec.templates')
    expect(shop.requests.map(({ text }) => text)).toEqual([
      'get analysistemplates/shop/all',
      'get analysistemplates/shop/rate',
      'get analysistemplates/shop/base',
      'get clusteranalysistemplates/base',
      'get analysistemplates/shop/latency',
      'create analysisruns/shop/all-xyz',
    ])
  })

  test('says which nested template is missing, and which refer to each other in a circle', async () => {
    const to = (templateName: string) => ({ templates: [{ templateName, clusterScope: false }] })
    const lost = cluster(template('all', to('rate')))
    expect(await run(lost, 'create ar --from all')).toMatchObject({
      code: 1,
      err: "Error: AnalysisTemplate 'rate' not found\n",
    })
    const round = cluster(template('a', to('b')), template('b', to('a')))
    expect(await run(round, 'create ar --from a')).toMatchObject({
      code: 1,
      err: 'Error: templates a -> b -> a form a cycle\n',
    })
    expect([...lost.writes, ...round.writes]).toEqual([])
  })

  test('takes the ClusterAnalysisTemplate with --global, the one in a file with --from-file', async () => {
    const global = template('rate', {}, { kind: 'ClusterAnalysisTemplate' })
    const shop = cluster(global)
    expect((await run(shop, 'create analysisruns --global --from rate')).out).toBe(
      'analysisrun.argoproj.io/rate-xyz created\n',
    )
    const other = cluster(template('base'))
    const own = template('mine', { templates: [{ templateName: 'base' }] })
    const words = ['create', 'ar', '--from-file', file('t.yaml', own), '--name', 'first']
    expect((await run(other, words)).out).toBe('analysisrun.argoproj.io/first created\n')
    expect(bodyOf(other)).toMatchObject({
      metadata: { name: 'first', namespace: 'shop' },
      spec: { metrics: [{ name: 'mine-metric' }, { name: 'base-metric' }] },
    })
    expect(bodyOf(other)).not.toHaveProperty('metadata.generateName')
  })

  test('--generate-name is the prefix of the name, --instance-id the only label', async () => {
    const shop = cluster(template('rate', {}, { metadata: { labels: { team: 'a' } } }))
    await run(shop, 'create ar --from rate --generate-name trial- --instance-id blue -n shop')
    expect(bodyOf(shop)).toMatchObject({ metadata: { generateName: 'trial-' } })
    expect(bodyOf(shop)).toHaveProperty('metadata.labels', {
      'argo-rollouts.argoproj.io/controller-instance-id': 'blue',
    })
  })

  test('says which argument no template declares', async () => {
    const shop = cluster(template('rate', { args }))
    expect(await run(shop, 'create ar --from rate -a service=x -a pth=/a')).toMatchObject({
      code: 0,
      err: 'Warning: no template declares the argument "pth", so it is left out; did you mean "path"?\n',
    })
  })

  test.each([
    ['create ar', 'one of --from or --from-file must be specified'],
    ['create ar --from a --from-file b', 'one of --from or --from-file must be specified'],
    ['create ar --from rate -a service', 'arguments must be in the form NAME=VALUE'],
    ['create ar --from rate', 'args.service was not resolved'],
    ['create ar --from gone', 'analysistemplates.argoproj.io "gone" not found'],
    ['create ar --global --from rate', 'clusteranalysistemplates.argoproj.io "rate" not found'],
  ])('%s: %s', async (words, message) => {
    const shop = cluster(template('rate', { args }))
    expect(await run(shop, words)).toMatchObject({ code: 1, out: '', err: `Error: ${message}\n` })
    expect(shop.writes).toEqual([])
  })

  test('a file without a name needs one, and a file is one template', async () => {
    const nameless = file('t.yaml', argo('AnalysisTemplate', {}, { metrics: [] }))
    expect(await run(cluster(), ['create', 'ar', '--from-file', nameless])).toMatchObject({
      code: 1,
      err: 'Error: name is invalid\n',
    })
    const two = file('t.yaml', template('a'), template('b'))
    const { err } = await run(cluster(), ['create', 'ar', '--from-file', two])
    expect(err).toMatch(/^Error: .*t\.yaml holds 2 objects; a run is made from one template\n$/)
  })

  test('is offered by completion', async () => {
    const { out } = await run(cluster(), ['__complete', 'create', ''])
    expect(out).toMatch(/^analysisrun\tCreate an AnalysisRun .*\n:4\n$/)
    expect((await run(cluster(), ['__complete', 'create', 'ar', '--from'])).out).toMatch(
      /^--from\t.*\n--from-file\t.*\n:4\n$/,
    )
  })
})
