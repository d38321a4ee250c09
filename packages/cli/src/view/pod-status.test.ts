import { expect, test } from 'vitest'
import { type Pod, podStatus } from './pod-status.ts'

const meta = { name: 'p' }
const running = { running: {} }
const waiting = (reason: string) => ({ waiting: { reason } })
const terminated = (facts: { reason?: string; exitCode?: number; signal?: number }) => ({
  terminated: facts,
})

type Status = NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number]

const container = (state: Status['state'], more: Partial<Status> = {}): Status => ({
  name: 'app',
  ...(state ? { state } : {}),
  ...more,
})

const main = (...containerStatuses: readonly Status[]): Pod => ({
  metadata: meta,
  spec: { containers: [{ name: 'app' }, { name: 'proxy' }] },
  status: { phase: 'Running', containerStatuses },
})

const initial = (...initContainerStatuses: readonly Status[]): Pod => ({
  metadata: meta,
  spec: {
    containers: [{ name: 'app' }],
    initContainers: [{ name: 'app' }, { name: 'sidecar', restartPolicy: 'Always' }],
  },
  status: { phase: 'Pending', initContainerStatuses },
})

test.each<[string, Pod, string, string]>([
  ['Running', main(container(running, { ready: true })), '✔', '1/2'],
  ['CrashLoopBackOff', main(container(waiting('CrashLoopBackOff'))), '✖', '0/2'],
  ['ImagePullBackOff', main(container(waiting('ImagePullBackOff'))), '⚠', '0/2'],
  ['ErrImagePull', main(container(waiting('ErrImagePull'))), '⚠', '0/2'],
  ['ContainerCreating', main(container(waiting('ContainerCreating'))), '◌', '0/2'],
  ['OOMKilled', main(container(terminated({ reason: 'OOMKilled', exitCode: 137 }))), ' ', '0/2'],
  ['ExitCode:3', main(container(terminated({ exitCode: 3 }))), '✖', '0/2'],
  ['Signal:9', main(container(terminated({ signal: 9, exitCode: 137 }))), '✖', '0/2'],
  ['Completed', main(container(terminated({ reason: 'Completed', exitCode: 0 }))), '✔', '0/2'],
  [
    'Running',
    main(
      container(terminated({ reason: 'Completed', exitCode: 0 })),
      container(running, { ready: true }),
    ),
    '✔',
    '1/2',
  ],
  [
    'Error',
    // The first container that is not running has the last word.
    main(
      container(terminated({ reason: 'Error', exitCode: 1 })),
      container(waiting('CrashLoopBackOff')),
    ),
    '⚠',
    '0/2',
  ],
  ['Init:0/2', initial(container(running)), '◌', '0/1'],
  ['Init:0/2', initial(container(waiting('PodInitializing'))), '◌', '0/1'],
  ['Init:CrashLoopBackOff', initial(container(waiting('CrashLoopBackOff'))), '◌', '0/1'],
  ['Init:Error', initial(container(terminated({ reason: 'Error', exitCode: 1 }))), '◌', '0/1'],
  ['Init:ExitCode:2', initial(container(terminated({ exitCode: 2 }))), '◌', '0/1'],
  ['Init:Signal:15', initial(container(terminated({ signal: 15, exitCode: 143 }))), '◌', '0/1'],
  [
    'Init:1/2',
    initial(container(terminated({ exitCode: 0 })), container(running, { name: 'sidecar' })),
    '◌',
    '0/1',
  ],
  [
    'Pending',
    initial(
      container(terminated({ exitCode: 0 })),
      container(running, { name: 'sidecar', started: true, ready: true }),
    ),
    '◌',
    '0/1',
  ],
  ['Evicted', { metadata: meta, status: { phase: 'Failed', reason: 'Evicted' } }, ' ', '0/0'],
  ['Failed', { metadata: meta, status: { phase: 'Failed', reason: '' } }, '✖', '0/0'],
  ['Succeeded', { metadata: meta, status: { phase: 'Succeeded' } }, ' ', '0/0'],
])('a pod shows as %s', (status, pod, icon, ready) => {
  expect(podStatus(pod)).toMatchObject({ status, icon, ready })
})

test('a pod that is being deleted is Terminating, on a lost node Unknown', () => {
  const deleted = { ...meta, deletionTimestamp: '2026-01-02T03:04:05Z' }
  const pod = main(container(running, { ready: true }))
  expect(podStatus({ ...pod, metadata: deleted })).toMatchObject({
    status: 'Terminating',
    icon: '◌',
    ready: '1/2',
  })
  expect(
    podStatus({ ...pod, metadata: deleted, status: { ...pod.status, reason: 'NodeLost' } }),
  ).toMatchObject({ status: 'Unknown', icon: '?' })
})

test('restarts of init containers count only while they decide', () => {
  expect(podStatus(initial(container(running, { restartCount: 3 }))).restarts).toBe(3)
  const both = main(
    container(running, { restartCount: 1, ready: true }),
    container(running, { restartCount: 1, ready: true }),
  )
  const past = [container(terminated({ exitCode: 0 }), { restartCount: 3 })]
  const pod = { ...both, status: { ...both.status, initContainerStatuses: past } }
  expect(podStatus(pod).restarts).toBe(2)
})
