import type { PluginKind } from '../plugin-process.ts'

/** What upstream's plugins of each kind call themselves (spec metric-providers 14.2). */
export const identities: Readonly<Record<PluginKind, { cookie: string; dispensed: string }>> = {
  metric: { cookie: 'metricprovider', dispensed: 'RpcMetricProviderPlugin' },
  router: { cookie: 'trafficrouter', dispensed: 'RpcTrafficRouterPlugin' },
  step: { cookie: 'step', dispensed: 'RpcStepPlugin' },
}

/** The variables by which a binary of HashiCorp's go-plugin knows that its host runs it. */
export function handshakeVariables(kind: PluginKind): Readonly<Record<string, string>> {
  return {
    ARGO_ROLLOUTS_RPC_PLUGIN: identities[kind].cookie,
    PLUGIN_MIN_PORT: '10000',
    PLUGIN_MAX_PORT: '25000',
    PLUGIN_PROTOCOL_VERSIONS: '1',
  }
}

/** Where a go-plugin binary listens. */
export type GoAddress = { readonly path: string } | { readonly host: string; readonly port: number }

/**
 * The line `1|1|unix|/tmp/plugin1234|netrpc|` that go-plugin prints once it listens: version of the handshake, version of
 * the application, network, address, protocol, certificate. Throws in go-plugin's words.
 */
export function parseHandshake(line: string): GoAddress {
  const [core, application, network, address, protocol = 'netrpc', certificate = ''] = line
    .trim()
    .split('|')
  if (core === undefined || address === undefined)
    throw new Error(`Unrecognized remote plugin message: ${JSON.stringify(line)}`)
  if (core !== '1')
    throw new Error(
      `incompatible core API version with plugin. Plugin version: ${core}, Core version: 1`,
    )
  if (application !== '1')
    throw new Error(
      `incompatible API version with plugin. Plugin version: ${application}, Client versions: [1]`,
    )
  if (protocol !== 'netrpc')
    throw new Error(`unsupported plugin protocol ${JSON.stringify(protocol)}. Supported: [netrpc]`)
  if (certificate !== '')
    throw new Error('the plugin asks for TLS, which no plugin of Argo Rollouts does')
  if (network === 'unix') return { path: address }
  const colon = address.lastIndexOf(':')
  if (network === 'tcp' && colon > 0)
    return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
  throw new Error(`unknown address type: ${network}`)
}
