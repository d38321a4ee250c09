import { expect, test } from 'vitest'
import { preStopMs, processOf } from './command.ts'
import type { Container, Pod, PodSpec } from './pod.ts'

function run(
  container: Partial<Container>,
  facts: { policy?: PodSpec['restartPolicy']; annotations?: Record<string, string> } = {},
) {
  const whole = { name: 'app', image: 'busybox', ...container }
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'job-1',
      namespace: 'default',
      ...(facts.annotations && { annotations: facts.annotations }),
    },
    spec: { restartPolicy: facts.policy ?? 'Never', containers: [whole] },
  }
  return processOf(pod, whole, { init: false })
}

const sh = (script: string) => ({ command: ['/bin/sh', '-c', script] })

test.each<[string, Partial<Container>, number, number]>([
  ['true', { command: ['true'] }, 0, 0],
  ['false', { command: ['/bin/false'] }, 0, 1],
  ['sleep 5', { command: ['sleep', '5'] }, 5_000, 0],
  ['sleep with arguments of its own', { command: ['sleep'], args: ['1m'] }, 60_000, 0],
  ['exit 3', sh('exit 3'), 0, 3],
  ['parts in turn', sh('sleep 2; exit 4'), 2_000, 4],
  ['&& stops at a failure', sh('sleep 1 && false && sleep 9'), 1_000, 1],
  ['|| goes on after a failure', sh('false || sleep 3'), 3_000, 0],
  ['nothing after exit', sh('exit 0; sleep 100'), 0, 0],
  ['an unknown command', { command: ['migrate', '--all'] }, 1_000, 0],
  ['no command at all', {}, 1_000, 0],
])(
  'in a pod that is not restarted, %s ends as in a shell',
  (_title, container, runsMs, exitCode) => {
    expect(run(container)).toMatchObject({ kind: 'task', runsMs, exitCode })
  },
)

test('echo prints its words into the log', () => {
  expect(run(sh('echo "hello there"; echo done'))).toMatchObject({
    prints: ['hello there', 'done'],
  })
})

test('the wishes duration and exit-code decide the outcome of a job', () => {
  const annotations = { 'sim.serinus.dev/duration': '10s', 'sim.serinus.dev/exit-code': '3' }
  expect(run({ command: ['migrate'] }, { annotations })).toMatchObject({
    runsMs: 10_000,
    exitCode: 3,
  })
})

test.each<[string, Partial<Container>]>([
  ['an image without a command', {}],
  ['an unknown command', { command: ['/server'] }],
  ['a loop without end', sh('while true; do sleep 1; done')],
  ['sleep infinity', { command: ['sleep', 'infinity'] }],
])('%s serves for ever in a pod that is always restarted', (_title, container) => {
  expect(run(container, { policy: 'Always' })).toEqual({ kind: 'service' })
})

test('crash says when a server dies and with which code', () => {
  const crash = (value: string) => ({ 'sim.serinus.dev/crash': value })
  const at = (value: string) => run({}, { policy: 'Always', annotations: crash(value) })
  expect(at('after 20s')).toMatchObject({ kind: 'task', runsMs: 20_000, exitCode: 1 })
  expect(at('on-start')).toMatchObject({ kind: 'task', exitCode: 1 })
})

test('a preStop hook delays the stop by its sleep', () => {
  const hook = (preStop: NonNullable<Container['lifecycle']>['preStop']) =>
    preStopMs({ name: 'app', ...(preStop && { lifecycle: { preStop } }) })
  expect(hook({ sleep: { seconds: 7 } })).toBe(7_000)
  expect(hook({ exec: { command: ['/bin/sh', '-c', 'sleep 15'] } })).toBe(15_000)
  expect(hook({ exec: { command: ['nginx', '-s', 'quit'] } })).toBe(0)
})
