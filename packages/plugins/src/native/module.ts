import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { lineSplitter } from '../lines.ts'
import type { PluginProcess, PluginStart } from '../plugin-process.ts'
import { JsonRpcClient } from './json-rpc.ts'
import { moduleWorker } from './module-worker.ts'
import { initialized } from './native-process.ts'

/** Most memory of one plugin, MiB: it shares a process with the controller. */
const mostMemoryMiB = 256

/** Protocol `js`: an ES module in a thread of its own. */
export function startModulePlugin(start: PluginStart): Promise<PluginProcess> {
  const source = `(${moduleWorker})(require('node:worker_threads').parentPort, (url) => import(url))`
  const worker = new Worker(source, {
    eval: true,
    stdout: true,
    stderr: true,
    env: start.env as NodeJS.ProcessEnv,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: mostMemoryMiB },
  })
  const rpc = new JsonRpcClient((message) => worker.postMessage(message))
  for (const stream of [worker.stdout, worker.stderr]) {
    const lines = lineSplitter(start.log)
    stream.on('data', (bytes: Buffer) => lines.push(bytes))
    stream.on('end', () => lines.end())
  }
  worker.on('message', (message: unknown) => rpc.receive(message))
  // Whose answer it was cannot be told any more; that call ends at its deadline.
  worker.on('messageerror', ({ message }) => start.log(`an answer cannot be read: ${message}`))
  const ended = new Promise<Error>((resolve) => {
    worker.on('error', (error) =>
      resolve(error instanceof Error ? error : new Error(String(error))),
    )
    worker.once('exit', (code) =>
      resolve(new Error(`the plugin's thread ended (exit code ${code})`)),
    )
  })
  void ended.then((reason) => rpc.end(reason))
  const end = () => void worker.terminate()
  return initialized(start, {
    ask(method, params, signal) {
      const url = pathToFileURL(start.target).href
      return rpc.call(method, method === 'initialize' ? { ...params, url } : params, signal)
    },
    close: end,
    kill: end,
    ended,
  })
}
