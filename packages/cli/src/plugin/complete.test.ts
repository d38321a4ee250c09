import { expect, test } from 'vitest'
import { forbidden, run, TestCluster } from './test-cluster.ts'
import { analysisRun, rollout } from './test-objects.ts'

const shop = () =>
  new TestCluster().put(
    rollout('checkout'),
    rollout('cherry'),
    rollout('storefront'),
    { ...rollout('trial'), kind: 'Experiment' },
    analysisRun('checkout', { name: 'check', hash: 'h', revision: 1, phase: 'Running' }),
  )

const complete = async (...words: readonly string[]) =>
  run(shop(), ['__complete', ...words]).then(({ out }) => out.split('\n').slice(0, -1))

const ended = 'Completion ended with directive: ShellCompDirectiveNoFileComp\n'

test('the first argument completes to rollouts with the typed prefix [cli 49]', async () => {
  const cluster = shop()
  const { code, out, err } = await run(cluster, '__complete get rollout che')
  expect({ code, out, err }).toEqual({ code: 0, out: 'checkout\ncherry\n:4\n', err: ended })
  expect(cluster.requests).toEqual([{ text: 'list rollouts in shop' }])
})

test.each([
  ['status'],
  ['promote'],
  ['abort'],
  ['pause'],
  ['restart'],
  ['undo'],
  ['retry', 'rollout'],
  ['retry', 'ro'],
  ['set', 'image'],
  ['get', 'rollouts', '-w'],
])('%s %s completes to rollouts', async (...words) => {
  const typed = words.filter((word) => word !== undefined)
  expect(await complete(...typed, 'st')).toEqual(['storefront', ':4'])
})

test('experiments and runs complete to theirs', async () => {
  expect(await complete('get', 'experiment', '')).toEqual(['trial', ':4'])
  expect(await complete('retry', 'experiment', '')).toEqual(['trial', ':4'])
  expect(await complete('terminate', 'exp', 't')).toEqual(['trial', ':4'])
  expect(await complete('terminate', 'analysisrun', '')).toEqual(['check', ':4'])
})

test('a later argument completes to nothing', async () => {
  expect(await complete('abort', 'checkout', '')).toEqual([':4'])
})

test('groups complete to their commands, with descriptions when they are wanted', async () => {
  expect(await complete('re')).toEqual([
    'restart\tRestart the pods of a rollout',
    'retry\tRetry a rollout or experiment',
    ':4',
  ])
  const { out } = await run(shop(), '__completeNoDesc re')
  expect(out).toBe('restart\nretry\n:4\n')
})

test('flags complete by their names; the value of a flag is left to the shell', async () => {
  expect(await complete('get', 'rollout', '--no')).toEqual([
    '--no-color\tDo not colorize output',
    ':4',
  ])
  expect(await complete('get', 'rollout', '--kubeconfig', '')).toEqual([':0'])
})

test('the namespace of the line is used, wherever it stands', async () => {
  for (const words of [
    ['get', 'rollout', '-n', 'other', ''],
    ['--namespace=other', 'get', 'rollout', ''],
  ]) {
    const cluster = shop()
    expect(await run(cluster, ['__complete', ...words])).toMatchObject({ out: ':4\n' })
    expect(cluster.requests).toEqual([{ text: 'list rollouts in other' }])
  }
})

test('a failing list is told by the directive', async () => {
  const cluster = shop()
  cluster.fail = () => forbidden('no')
  expect(await run(cluster, ['__complete', 'status', ''])).toMatchObject({
    code: 0,
    out: ':1\n',
    err: 'Completion ended with directive: ShellCompDirectiveError\n',
  })
})

test.each(['bash', 'zsh', 'fish', 'powershell'])(
  'the %s script asks the plugin for candidates',
  async (shell) => {
    const { code, out, err } = await run(shop(), `completion ${shell}`)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/kubectl-argo-rollouts __complete/)
  },
)

test('other shells are refused', async () => {
  expect(await run(shop(), 'completion tcsh')).toMatchObject({
    code: 1,
    out: '',
    err: 'Error: invalid argument "tcsh" for "completion"\n',
  })
})
