import { sleep } from '@serinus/kube'
import { type Child, startChild } from '../child.ts'
import { handshakeVariables } from '../netrpc/handshake.ts'
import { type PluginProcess, type PluginStart, StartFailure } from '../plugin-process.ts'
import { JsonRpcClient } from './json-rpc.ts'
import { initialized } from './native-process.ts'

/** After it has closed its standard output, how long a program may take to end. */
const lastWordsMs = 1_000

/** Protocol `jsonrpc`: a process of its own, one JSON-RPC object per line on standard input and output. */
export async function startJsonLinesPlugin(start: PluginStart): Promise<PluginProcess> {
  const rpc = new JsonRpcClient((message) => child?.write(`${JSON.stringify(message)}\n`))
  let child: Child | undefined
  child = await startChild(start, {
    env: { ...handshakeVariables(start.kind), ROLLOUTS_PLUGIN_PROTOCOL: 'jsonrpc/1' },
    onLine(line) {
      // What somebody printed to look for a mistake must not end the plugin.
      if (!rpc.receive(parsed(line))) start.log(line)
    },
    onEnd(over) {
      const mute = new Error('the plugin closed its standard output, so it cannot answer')
      // One that is ending says more with its end.
      sleep(start.clock, lastWordsMs, over).then(
        () => child?.kill(mute),
        () => {},
      )
    },
  }).catch((error: unknown) => {
    throw new StartFailure('get plugin client', error)
  })
  const { kill, ended, close } = child
  void ended.then((reason) => rpc.end(reason))
  const ask = (method: string, params: object, signal: AbortSignal) =>
    rpc.call(method, params, signal)
  return initialized(start, { ask, close, kill, ended })
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
