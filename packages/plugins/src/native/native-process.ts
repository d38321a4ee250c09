import { sleep } from '@serinus/kube'
import {
  PluginLacksMethod,
  type PluginProcess,
  type PluginStart,
  StartFailure,
} from '../plugin-process.ts'

/** The way to a plugin that speaks one of our own protocols (spec metric-providers 14.6). */
export interface NativeLink {
  ask(method: string, params: object, signal: AbortSignal): Promise<unknown>
  /** Nothing will be asked any more: lets it end. */
  close(): void
  kill(): void
  readonly ended: Promise<Error>
}

/** Of the methods, what they are sent and what they answer; a plugin can refuse one that it does not know. */
const protocolVersion = 1

/** After it was asked to end, what a plugin is granted before it is killed. */
const quitGraceMs = 2_000

/** Initialises a plugin that has been reached; rejects with a `StartFailure`, and then leaves nothing behind. */
export async function initialized(start: PluginStart, link: NativeLink): Promise<PluginProcess> {
  const { kind, name, args, clock, signal } = start
  const question = { protocolVersion, kind, name, args }
  const facts = await link
    .ask('initialize', question, signal)
    .then((answer) => parseFacts(answer, name))
    .catch((error: unknown) => {
      link.kill()
      throw new StartFailure('initialize plugin via rpc', error)
    })
  return {
    type: facts.type,
    async call(method, params, over) {
      if (facts.capabilities && !facts.capabilities.includes(method))
        throw new PluginLacksMethod(`${method} is none of the plugin's capabilities`)
      return link.ask(method, params, over)
    },
    ping: async (over) => void (await link.ask('ping', {}, over)),
    quit() {
      const over = new AbortController()
      void link.ended.then(() => over.abort())
      const close = () => link.close()
      link.ask('shutdown', {}, over.signal).then(close, close)
      sleep(clock, quitGraceMs, over.signal).then(
        () => link.kill(),
        () => {},
      )
    },
    kill: () => link.kill(),
    ended: link.ended,
  }
}

function parseFacts(
  answer: unknown,
  name: string,
): { readonly type: string; readonly capabilities: readonly string[] | null } {
  const { type, capabilities } = (typeof answer === 'object' && answer !== null ? answer : {}) as {
    readonly type?: unknown
    readonly capabilities?: unknown
  }
  return {
    type: typeof type === 'string' && type !== '' ? type : name,
    capabilities: Array.isArray(capabilities)
      ? capabilities.filter((one) => typeof one === 'string')
      : null,
  }
}
