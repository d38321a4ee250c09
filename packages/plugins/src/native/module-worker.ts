import type { parentPort as Port } from 'node:worker_threads'

/**
 * What runs in the thread of a `js` plugin. Its source is handed to the thread as text, since the release is one file;
 * so it may use nothing from outside of itself but what it is given.
 */
export function moduleWorker(
  port: NonNullable<typeof Port>,
  load: (url: string) => Promise<{ readonly default?: unknown }>,
): void {
  type Params = Readonly<Record<string, unknown>>
  type Method = (...args: unknown[]) => unknown
  const running = new Map<number, AbortController>()
  const longestAnswer = 10 * 2 ** 20
  let plugin: Readonly<Record<string, unknown>> = {}

  const calls: Readonly<Record<string, readonly string[]>> = {
    'metric/run': ['run', 'metric'],
    'metric/resume': ['run', 'metric', 'measurement'],
    'metric/terminate': ['run', 'metric', 'measurement'],
    'metric/garbageCollect': ['run', 'metric', 'limit'],
    'metric/metadata': ['metric'],
  }

  async function initialize(params: Params): Promise<unknown> {
    const { default: create } = await load(String(params['url']))
    if (typeof create !== 'function')
      throw new Error(
        'the module has no default export that makes a plugin: export default function create(host) { … }',
      )
    const { name, args } = params
    const log = (text: unknown) => console.error(String(text))
    plugin = (await (create as Method)({ name, args, log })) as typeof plugin
    if (typeof plugin !== 'object' || plugin === null)
      throw new Error('create(host) gave no plugin, an object with the method run')
    await (plugin['init'] as Method | undefined)?.call(plugin)
    return { type: typeof plugin['type'] === 'string' ? plugin['type'] : name }
  }

  async function answer(method: string, params: Params, signal: AbortSignal): Promise<unknown> {
    if (method === 'initialize') return initialize(params)
    if (method === 'ping') return null
    if (method === 'shutdown') return (plugin['close'] as Method | undefined)?.call(plugin)
    const name = method.slice(method.indexOf('/') + 1)
    const found = plugin[name]
    if (typeof found !== 'function')
      throw Object.assign(new Error(`the plugin has no method ${name}`), { code: -32601 })
    const names = calls[method]
    const args = names ? names.map((one) => params[one]) : [params]
    return (found as Method).call(plugin, ...args, signal)
  }

  port.on('message', async (message: { id?: number; method: string; params: Params }) => {
    const { id, method, params } = message
    if (method === '$/cancelRequest') return running.get(Number(params['id']))?.abort()
    if (id === undefined) return
    const over = new AbortController()
    running.set(id, over)
    try {
      const result = await answer(method, params, over.signal)
      // What JSON cannot carry, no other protocol could either.
      const json = JSON.stringify(result) ?? 'null'
      if (json.length > longestAnswer)
        throw new Error(`the answer is longer than ${longestAnswer} characters`)
      port.postMessage({ jsonrpc: '2.0', id, result: JSON.parse(json) })
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      const code = (error as { code?: unknown } | null)?.code
      port.postMessage({
        jsonrpc: '2.0',
        id,
        error: { code: code === -32601 ? code : -32000, message: text },
      })
    } finally {
      running.delete(id)
    }
  })
}
