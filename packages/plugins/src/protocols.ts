import { extname } from 'node:path'
import type { Declaration } from './declarations.ts'
import type { PluginProtocol, StartPlugin } from './plugin-process.ts'

/** One line per protocol. What nobody uses is not loaded. */
export const starters: Readonly<Record<PluginProtocol, () => Promise<StartPlugin>>> = {
  netrpc: async () => (await import('./netrpc/go-plugin.ts')).startGoPlugin,
  jsonrpc: async () => (await import('./native/json-lines.ts')).startJsonLinesPlugin,
  js: async () => (await import('./native/module.ts')).startModulePlugin,
  http: async () => (await import('./native/http.ts')).startHttpPlugin,
}

const moduleEndings: ReadonlySet<string> = new Set(['.mjs', '.cjs', '.js'])

/** Whether Node.js loads a file of this name as a module. */
export function moduleEnding(path: string): string {
  const ending = extname(path)
  return moduleEndings.has(ending) ? ending : ''
}

/** `auto` means: modules by their ending, services by their address, any other file as a Go plugin. */
export function protocolOf({ protocol, location }: Declaration): PluginProtocol {
  if (protocol !== 'auto') return protocol
  switch (location.kind) {
    case 'service':
      return 'http'
    case 'file':
      return moduleEnding(location.path) ? 'js' : 'netrpc'
    case 'download':
      return moduleEnding(new URL(location.url).pathname) ? 'js' : 'netrpc'
    default:
      throw new TypeError(`unknown location: ${JSON.stringify(location satisfies never)}`)
  }
}
