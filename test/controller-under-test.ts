import { randomUUID } from 'node:crypto'
import type { Surroundings } from '@serinus/cluster'
import type { Clock, Transport } from '@serinus/kube'
import { controllerOptions } from '../packages/cli/src/serinus/controller-command.ts'
import {
  type ControllerFlags,
  controllerSettings,
} from '../packages/cli/src/serinus/controller-settings.ts'
import type { Log } from '../packages/cli/src/serinus/log.ts'
import { startReplica } from '../packages/cli/src/serinus/replica.ts'

/** The flag of a controller that shares its work with another one. */
export const leaderElect = '--leader-elect'

/** One process of the controller, as `serinus controller` runs it, but inside the test's. */
export interface ControllerUnderTest {
  /** Resolves when it leads and works. */
  readonly working: Promise<void>
  readonly ended: Promise<void>
  /** As SIGTERM does; nothing of it is at work afterwards. */
  stop(): Promise<void>
  /** As SIGKILL does: nothing more of it reaches the API, and nothing is handed over. */
  kill(): void
}

export function startControllerUnderTest(options: {
  readonly transport: Transport
  readonly baseUrl: string
  readonly clock: Clock
  readonly surroundings: Surroundings
  /** Flags; the lease is left alone unless `--leader-elect` is among them. */
  readonly args: readonly string[]
  readonly onError: (key: string, text: string) => void
}): ControllerUnderTest {
  const { args, clock, transport } = options
  const asked = new AbortController()
  let isDead = false
  let tellWorking = () => {}
  const working = new Promise<void>((resolve) => {
    tellWorking = resolve
  })
  const log: Log = {
    debug: () => {},
    info: (message) => {
      if (message === 'the controller works') tellWorking()
    },
    warn: () => {},
    error: (message, fields = {}) => {
      const { key = message, error } = fields
      if (!isDead) options.onError(String(key), error instanceof Error ? error.message : message)
    },
  }
  const replica = startReplica({
    transport: (request) => (isDead ? new Promise(() => {}) : transport(request)),
    baseUrl: options.baseUrl,
    settings: settingsOf(args.includes(leaderElect) ? args : [...args, '--leader-elect=false']),
    clock,
    signal: asked.signal,
    identity: `test_${randomUUID()}`,
    log,
    fetch: (request) => options.surroundings.fetch(request),
    env: {},
  })
  return {
    working,
    ended: replica.done,
    stop() {
      asked.abort(new Error('ended by SIGTERM'))
      return isDead ? Promise.resolve() : replica.done
    },
    kill() {
      isDead = true
    },
  }
}

function settingsOf(args: readonly string[]) {
  const command = controllerOptions().exitOverride()
  command.parse([...args], { from: 'user' })
  const flags = command.opts<ControllerFlags>()
  return controllerSettings(flags, {
    env: {},
    contextNamespace: flags.namespace ?? 'argo-rollouts',
    namespaceFile: '/nowhere',
  })
}
