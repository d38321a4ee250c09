import type { KubeConfig } from '@kubernetes/client-node'
import type { CredentialSource } from './network.ts'

/** A user entry whose credentials another program or an identity provider makes. */
export interface PluginUser {
  /** The user entry of a kubeconfig, as it stands there. */
  readonly user: Readonly<Record<string, unknown>>
  readonly installHint: string | undefined
}

/**
 * Credentials by exec plugin, OIDC and the old cloud providers, through @kubernetes/client-node. It is loaded at the
 * first use: loading it takes a quarter of a second, and most kubeconfigs need none of it.
 */
export function pluginCredentials(plugin: PluginUser): CredentialSource {
  // Holds the plugin's cache of tokens, so it lives until the server refuses one.
  let config: Promise<KubeConfig> | undefined
  return {
    async current() {
      config ??= loadConfig(plugin)
      // client-node reads `headers` without making it for some providers.
      const options: Parameters<KubeConfig['applyToHTTPSOptions']>[0] = { headers: {} }
      try {
        await (await config).applyToHTTPSOptions(options)
      } catch (cause) {
        config = undefined
        const said = cause instanceof Error ? cause.message.trim() : String(cause)
        const hint = plugin.installHint ? `\n${plugin.installHint}` : ''
        throw new Error(`getting credentials: ${said}${hint}`, { cause })
      }
      return {
        headers: (options.headers ?? {}) as Record<string, string>,
        cert: options.cert?.toString(),
        key: options.key?.toString(),
      }
    },
    renew() {
      config = undefined
      return true
    },
  }
}

async function loadConfig({ user }: PluginUser): Promise<KubeConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  // JSON is YAML. The server is never called through this configuration.
  config.loadFromString(
    JSON.stringify({
      clusters: [{ name: 'cluster', cluster: { server: 'https://localhost' } }],
      users: [{ name: 'user', user }],
      contexts: [{ name: 'context', context: { cluster: 'cluster', user: 'user' } }],
      'current-context': 'context',
    }),
  )
  return config
}
