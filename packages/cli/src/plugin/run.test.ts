import { expect, test } from 'vitest'
import { run, TestCluster } from './test-cluster.ts'
import { rollout } from './test-objects.ts'

const shop = () => new TestCluster().put(rollout('x', { status: { phase: 'Healthy' } }))

test.each([
  ['get rollout', /^Usage:\n {2}kubectl-argo-rollouts get rollout ROLLOUT_NAME \[flags\]\n/],
  ['get rollout a b', /^Usage:\n {2}kubectl-argo-rollouts get rollout ROLLOUT_NAME \[flags\]\n/],
  ['abort', /^Usage:\n {2}kubectl-argo-rollouts abort ROLLOUT_NAME\.\.\. \[flags\]\n/],
  ['retry ro', /^Usage:\n {2}kubectl-argo-rollouts retry rollout ROLLOUT_NAME\.\.\. \[flags\]\n/],
  ['-n get pause', /^Usage:\n {2}kubectl-argo-rollouts pause ROLLOUT_NAME\.\.\. \[flags\]\n/],
  ['get', /^Usage:\n {2}kubectl-argo-rollouts get \[command\]\n/],
  ['get foo', /^Usage:\n {2}kubectl-argo-rollouts get \[command\]\n/],
  ['', /^Usage:\n {2}kubectl-argo-rollouts \[command\]\n/],
])('wrong arguments of "%s" print the usage once, on stderr', async (words, usage) => {
  const cluster = shop()
  const { code, out, err } = await run(cluster, words)
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(err).toMatch(usage)
  expect(err.match(/Usage:/g)).toHaveLength(1)
  expect(err).not.toContain('Error:')
  expect(cluster.requests).toEqual([])
})

test.each([
  [
    'foo',
    'unknown command "foo" for "kubectl-argo-rollouts"\nRun \'kubectl-argo-rollouts --help\' for usage.',
  ],
  ['get rollout x --wacth', 'unknown flag: --wacth'],
  ['get rollout x --output=json', 'unknown flag: --output'],
  ['abort x -z', "unknown shorthand flag: 'z' in -z"],
  ['status x -n', 'flag needs an argument: --namespace'],
  [
    'undo x --to-revision two',
    'invalid argument "two" for "--to-revision" flag: strconv.ParseInt: parsing "two": invalid syntax',
  ],
  [
    'get rollout x --watch=perhaps',
    'invalid argument "perhaps" for "-w, --watch" flag: strconv.ParseBool: parsing "perhaps": invalid syntax',
  ],
  ['version --loglevel loud', 'not a valid logrus Level: "loud"'],
])('"%s" is one error on stderr', async (words, message) => {
  const cluster = shop()
  const { code, out, err } = await run(cluster, words)
  expect({ code, out, err }).toEqual({ code: 1, out: '', err: `Error: ${message}\n` })
  expect(cluster.requests).toEqual([])
})

test.each(['get rollout --help', 'get ro x -h'])('"%s" prints help on stdout', async (words) => {
  const { code, out, err } = await run(shop(), words)
  expect({ code, err }).toEqual({ code: 0, err: '' })
  const [own, global] = out.split('Global Flags:\n')
  expect(own).toBe(`Get details about a rollout

Usage:
  kubectl-argo-rollouts get rollout ROLLOUT_NAME [flags]

Aliases:
  rollout, ro, rollouts

Examples:
  # Get a rollout
  kubectl argo rollouts get rollout guestbook

  # Watch progress of a rollout
  kubectl argo rollouts get rollout guestbook -w

  # Watch the rollout for a minute
  kubectl argo rollouts get rollout guestbook -w --timeout-seconds 60

Flags:
  -h, --help                  show this help
      --no-color              Do not colorize output
      --timeout-seconds int   Timeout after specified seconds
  -w, --watch                 Watch live updates to the rollout

`)
  expect(global).toContain('  -n, --namespace string ')
})

test('the help of the root and of a group names the commands', async () => {
  const { out } = await run(shop(), '--help')
  expect(out).toMatch(/\n {2}status +Show the status of a rollout\n/)
  expect(out).not.toContain('__complete')
  const group = await run(shop(), 'retry -h')
  expect(group.out).toContain(
    'Available Commands:\n  experiment   Retry an experiment\n  rollout      Retry an aborted rollout\n',
  )
})

test('deprecated flags are not in the help', async () => {
  const { out } = await run(shop(), 'promote --help')
  expect(out).toContain('--full')
  expect(out).not.toContain('--skip')
})

test('global flags may stand before, between and after the words', async () => {
  for (const words of [
    '--context prod -n other abort x --as jane --as-group a --as-group b',
    'abort -n other --context=prod x --as=jane --as-group=a --as-group=b',
    'abort x --namespace other --as-group a --as jane --context prod --as-group b',
  ]) {
    const cluster = new TestCluster().put({
      ...rollout('x'),
      metadata: { ...rollout('x').metadata, namespace: 'other' },
    })
    const { code, connectedWith } = await run(cluster, words)
    expect(code).toBe(0)
    expect(connectedWith).toMatchObject({
      namespace: 'other',
      context: 'prod',
      as: 'jane',
      asGroups: ['a', 'b'],
    })
  }
})

test('an empty namespace is none', async () => {
  const { connectedWith } = await run(shop(), ['abort', 'x', '-n', ''])
  expect(connectedWith).not.toHaveProperty('namespace')
})

test.each([
  ['--watch=true', 0],
  ['--watch=1', 0],
  ['-w=T', 0],
  ['--watch', 0],
  ['--watch=false', 1],
  ['-w=0', 1],
])('the boolean %s is read as Go reads it', async (flag, plainReads) => {
  const cluster = shop()
  await run(cluster, ['status', flag, 'x'])
  const watched = cluster.requests.some(({ text }) => text.startsWith('list'))
  expect(watched ? 0 : 1).toBe(plainReads)
})

test('version prints the client alone; short is its first line', async () => {
  const cluster = shop()
  const long = await run(cluster, 'version')
  expect(long.out.replaceAll(/: .*$/gm, ':')).toBe(
    'kubectl-argo-rollouts:\n  BuildDate:\n  GitCommit:\n  GitTreeState:\n  GoVersion:\n  Compiler:\n  Platform:\n',
  )
  const short = await run(cluster, 'version --short')
  expect(short.out).toMatch(/^kubectl-argo-rollouts: v\d+\.\d+\.\d+\S*\n$/)
  expect(long.out.startsWith(short.out)).toBe(true)
  expect(cluster.requests).toEqual([])
})

test('a command that this version does not have is said, with what there is instead', async () => {
  const dashboard = await run(shop(), 'dashboard --port 3100')
  expect(dashboard.code).toBe(0)
  expect(dashboard.out).toContain('kubectl argo rollouts get rollout NAME --watch')
})
