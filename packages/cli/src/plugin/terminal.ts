import type { Clock, KubeconfigOptions } from '@serinus/kube'
import type { Access } from './access.ts'

/** What a command needs of the process it runs in; handed in, so that tests run commands without one. */
export interface Terminal {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly clock: Clock
  readonly env: Readonly<Record<string, string | undefined>>
  /** Ends a watch in an orderly way. Read only by commands that watch. */
  readonly signal: AbortSignal
  /** Absent: the network, by kubeconfig. */
  readonly connect?: (options: KubeconfigOptions) => Access
  /** How notifications reach their vendors. Absent: the network. */
  readonly fetch?: (request: Request) => Promise<Response>
}

/** Parts that every command is made with. */
export interface CommandParts {
  readonly terminal: Terminal
  /** Called when the command runs, since only then the global flags are known. */
  readonly connect: () => Access
}
