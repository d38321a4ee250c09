import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path'
import { parse } from 'yaml'
import type { Transport } from './client.ts'
import type { Clock } from './clock.ts'
import { pluginCredentials } from './credential-plugin.ts'
import { type CredentialSource, type Credentials, networkTransport } from './network.ts'
import { RealClock } from './real-clock.ts'

/** kubectl's connection flags; each overrides what the kubeconfig says (spec cli 2, operations 1.1). */
export interface KubeconfigOptions {
  /** A file, which must exist. Absent: the files of `KUBECONFIG`, else `~/.kube/config`, else in-cluster. */
  readonly kubeconfig?: string
  /** The text of a kubeconfig, as a Secret holds it, instead of files. */
  readonly content?: string
  /** Use the pod's service account and look at no file. */
  readonly inCluster?: boolean
  readonly context?: string
  readonly cluster?: string
  readonly user?: string
  readonly namespace?: string
  readonly server?: string
  readonly token?: string
  readonly username?: string
  readonly password?: string
  /** Paths, relative to the working directory. */
  readonly certificateAuthority?: string
  readonly clientCertificate?: string
  readonly clientKey?: string
  readonly insecureSkipTlsVerify?: boolean
  readonly tlsServerName?: string
  readonly proxyUrl?: string
  readonly as?: string
  readonly asGroups?: readonly string[]
  readonly asUid?: string
  /** Absent: the environment of the process. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Says when a token file is read again. Absent: real time. */
  readonly clock?: Clock
  /** Where a pod finds its service account. Absent: /var/run/secrets/kubernetes.io/serviceaccount. */
  readonly serviceAccountFolder?: string
}

/** How to reach the cluster that a kubeconfig names. */
export interface KubeconfigTransport {
  readonly transport: Transport
  readonly baseUrl: string
  /** The context's namespace, `default` when it names none. */
  readonly namespace: string
}

/** A kubeconfig that cannot be used. The message says which file or entry, and never shows a secret. */
export class KubeconfigError extends Error {
  override readonly name = 'KubeconfigError'
}

/**
 * Reads the kubeconfig as kubectl does: several files are merged, the first to name something wins; outside files
 * the pod's service account is used. Throws `KubeconfigError`. Certificates, tokens, token files and passwords are
 * handled here; exec plugins, OIDC and other providers are loaded when they are needed.
 */
export function kubeconfigTransport(options: KubeconfigOptions = {}): KubeconfigTransport {
  const env = options.env ?? process.env
  const clock = options.clock ?? new RealClock()
  const { cluster, namespace, ...connection } = connectionOf(options, env)
  const user = withFlags(connection.user, options)
  const baseUrl = (options.server ?? cluster.server ?? '').replace(/\/+$/, '')
  if (!/^https?:\/\//.test(baseUrl)) {
    throw new KubeconfigError(
      baseUrl === ''
        ? 'the cluster has no server'
        : `the server ${baseUrl} is not an http or https URL`,
    )
  }
  const flagCa = options.certificateAuthority
  const insecureSkipTlsVerify =
    options.insecureSkipTlsVerify ?? (cluster['insecure-skip-tls-verify'] === true && !flagCa)
  const ca = flagCa
    ? readText(resolve(flagCa))
    : pem(cluster['certificate-authority-data'], cluster['certificate-authority'])
  const transport = networkTransport(
    {
      headers: impersonationHeaders(user),
      ca: insecureSkipTlsVerify ? undefined : ca,
      insecureSkipTlsVerify,
      serverName: options.tlsServerName ?? cluster['tls-server-name'],
      proxyUrl: options.proxyUrl ?? cluster['proxy-url'],
      environmentProxies: {
        http: env['http_proxy'] || env['HTTP_PROXY'] || undefined,
        https: env['https_proxy'] || env['HTTPS_PROXY'] || undefined,
        none: env['no_proxy'] || env['NO_PROXY'] || undefined,
      },
    },
    credentialsOf({ user, cluster, baseUrl, ca, clock }),
  )
  return { transport, baseUrl, namespace: options.namespace ?? namespace ?? 'default' }
}

/** The entries of a kubeconfig, as far as they are used (client-go: tools/clientcmd/api/v1). */
interface ClusterEntry {
  readonly server?: string
  readonly 'certificate-authority'?: string
  readonly 'certificate-authority-data'?: string
  readonly 'insecure-skip-tls-verify'?: boolean
  readonly 'tls-server-name'?: string
  readonly 'proxy-url'?: string
  readonly extensions?: readonly { readonly name: string; readonly extension: unknown }[]
}

interface UserEntry {
  readonly token?: string
  readonly tokenFile?: string
  readonly username?: string
  readonly password?: string
  readonly 'client-certificate'?: string
  readonly 'client-certificate-data'?: string
  readonly 'client-key'?: string
  readonly 'client-key-data'?: string
  readonly exec?: ExecEntry
  readonly 'auth-provider'?: unknown
  readonly as?: string
  readonly 'as-uid'?: string
  readonly 'as-groups'?: readonly string[]
  readonly 'as-user-extra'?: Readonly<Record<string, readonly string[]>>
}

interface ExecEntry {
  readonly apiVersion?: string
  readonly command?: string
  readonly env?: readonly { readonly name: string; readonly value: string }[] | null
  readonly installHint?: string
  readonly provideClusterInfo?: boolean
}

interface ContextEntry {
  readonly cluster?: string
  readonly user?: string
  readonly namespace?: string
}

interface Kubeconfig {
  readonly clusters: ReadonlyMap<string, ClusterEntry>
  readonly users: ReadonlyMap<string, UserEntry>
  readonly contexts: ReadonlyMap<string, ContextEntry>
  readonly currentContext: string | undefined
}

interface Connection {
  readonly cluster: ClusterEntry
  readonly user: UserEntry
  readonly namespace: string | undefined
}

type Env = Readonly<Record<string, string | undefined>>

function connectionOf(options: KubeconfigOptions, env: Env): Connection {
  if (options.inCluster) {
    const connection = inClusterConnection(options, env)
    if (connection) return connection
    throw new KubeconfigError(
      'not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set',
    )
  }
  const config = kubeconfigOf(options, env)
  const contextName = options.context ?? config.currentContext
  const context = contextName === undefined ? undefined : config.contexts.get(contextName)
  if (options.context !== undefined && !context) {
    throw new KubeconfigError(`context "${options.context}" does not exist`)
  }
  const clusterName = options.cluster ?? context?.cluster
  const userName = options.user ?? context?.user
  if (clusterName === undefined && options.server === undefined) {
    const pod = inClusterConnection(options, env)
    if (pod) return pod
    throw new KubeconfigError(
      contextName === undefined
        ? 'no cluster is configured: name a kubeconfig with --kubeconfig or KUBECONFIG'
        : `context "${contextName}" does not exist or names no cluster`,
    )
  }
  return {
    cluster: entryOf(config.clusters, 'cluster', clusterName) ?? {},
    user: entryOf(config.users, 'user', userName) ?? {},
    namespace: context?.namespace || undefined,
  }
}

function entryOf<T>(entries: ReadonlyMap<string, T>, kind: string, name?: string): T | undefined {
  if (name === undefined || name === '') return undefined
  const entry = entries.get(name)
  if (!entry) throw new KubeconfigError(`${kind} "${name}" does not exist`)
  return entry
}

function kubeconfigOf(options: KubeconfigOptions, env: Env): Kubeconfig {
  if (options.content !== undefined) {
    return merge([parseKubeconfig(options.content, { name: 'the kubeconfig', folder: undefined })])
  }
  if (options.kubeconfig !== undefined) {
    const file = resolve(options.kubeconfig)
    return merge([parseKubeconfig(readText(file), { name: file, folder: dirname(file) })])
  }
  const home = env['HOME'] || env['USERPROFILE'] || homedir()
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '')
  const files = listed.length > 0 ? listed : [join(home, '.kube', 'config')]
  const configs: Kubeconfig[] = []
  for (const file of new Set(files.map((each) => resolve(each)))) {
    const text = readIfPresent(file)
    if (text !== undefined) {
      configs.push(parseKubeconfig(text, { name: file, folder: dirname(file) }))
    }
  }
  return merge(configs)
}

function merge(configs: readonly Kubeconfig[]): Kubeconfig {
  // Of two entries with one name the first counts, so the last file is laid down first.
  const lastFirst = [...configs].reverse()
  return {
    clusters: new Map(lastFirst.flatMap(({ clusters }) => [...clusters])),
    users: new Map(lastFirst.flatMap(({ users }) => [...users])),
    contexts: new Map(lastFirst.flatMap(({ contexts }) => [...contexts])),
    currentContext: configs.map((config) => config.currentContext).find((name) => name),
  }
}

function parseKubeconfig(
  text: string,
  origin: { readonly name: string; readonly folder: string | undefined },
): Kubeconfig {
  let document: Record<string, unknown>
  try {
    document = (parse(text, { logLevel: 'error' }) ?? {}) as Record<string, unknown>
  } catch (cause) {
    // yaml quotes the offending line, which may hold a token.
    const line = (cause as { linePos?: readonly { line: number }[] }).linePos?.[0]?.line
    throw new KubeconfigError(`${origin.name} is not YAML${line ? ` (line ${line})` : ''}`)
  }
  if (typeof document !== 'object' || Array.isArray(document)) {
    throw new KubeconfigError(`${origin.name} is not a kubeconfig`)
  }
  const { folder } = origin
  return {
    clusters: named(document['clusters'], 'cluster', (cluster: ClusterEntry) =>
      withPaths(cluster, folder, ['certificate-authority']),
    ),
    users: named(document['users'], 'user', (user: UserEntry) => {
      const entry = withPaths(user, folder, ['client-certificate', 'client-key', 'tokenFile'])
      // A command with a slash is a path beside the file; one without is searched in PATH.
      if (!user.exec?.command || !/[\\/]/.test(user.exec.command)) return entry
      return { ...entry, exec: withPaths(user.exec, folder, ['command']) }
    }),
    contexts: named(document['contexts'], 'context', (context: ContextEntry) => context),
    currentContext: (document['current-context'] as string | undefined) || undefined,
  }
}

function named<T>(list: unknown, field: string, read: (entry: T) => T): Map<string, T> {
  const entries = new Map<string, T>()
  for (const item of Array.isArray(list) ? (list as Record<string, unknown>[]) : []) {
    const name = item?.['name']
    if (typeof name !== 'string' || entries.has(name)) continue
    entries.set(name, read((item[field] ?? {}) as T))
  }
  return entries
}

/** Paths in a kubeconfig are relative to its folder. */
function withPaths<T extends object>(
  entry: T,
  folder: string | undefined,
  fields: readonly (keyof T)[],
): T {
  const copy = { ...entry }
  for (const field of fields) {
    const path = entry[field]
    if (typeof path === 'string' && path !== '' && folder !== undefined && !isAbsolute(path)) {
      copy[field] = join(folder, path) as T[keyof T]
    }
  }
  return copy
}

function inClusterConnection(options: KubeconfigOptions, env: Env): Connection | undefined {
  const host = env['KUBERNETES_SERVICE_HOST']
  const port = env['KUBERNETES_SERVICE_PORT']
  if (!host || !port) return undefined
  const folder = options.serviceAccountFolder ?? '/var/run/secrets/kubernetes.io/serviceaccount'
  return {
    cluster: {
      server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
      'certificate-authority': join(folder, 'ca.crt'),
    },
    user: { tokenFile: join(folder, 'token') },
    namespace: readIfPresent(join(folder, 'namespace'))?.trim() || undefined,
  }
}

/** A flag for one way to log in takes the place of the entry's own ways (client-go: clientcmd overrides). */
function withFlags(entry: UserEntry, options: KubeconfigOptions): UserEntry {
  const { token, username, password, clientCertificate, clientKey } = options
  let user = entry
  if (token !== undefined || username !== undefined) {
    const {
      token: _t,
      tokenFile,
      username: _u,
      password: _p,
      exec,
      'auth-provider': _a,
      ...rest
    } = user
    user = {
      ...rest,
      ...(token === undefined ? {} : { token }),
      ...(username === undefined ? {} : { username, password: password ?? '' }),
    }
  }
  if (clientCertificate !== undefined) {
    const { 'client-certificate-data': _d, ...rest } = user
    user = { ...rest, 'client-certificate': resolve(clientCertificate) }
  }
  if (clientKey !== undefined) {
    const { 'client-key-data': _d, ...rest } = user
    user = { ...rest, 'client-key': resolve(clientKey) }
  }
  return {
    ...user,
    ...(options.as === undefined ? {} : { as: options.as }),
    ...(options.asGroups === undefined ? {} : { 'as-groups': options.asGroups }),
    ...(options.asUid === undefined ? {} : { 'as-uid': options.asUid }),
  }
}

function credentialsOf(facts: {
  readonly user: UserEntry
  readonly cluster: ClusterEntry
  readonly baseUrl: string
  readonly ca: string | undefined
  readonly clock: Clock
}): CredentialSource {
  const { user } = facts
  const cert = pem(user['client-certificate-data'], user['client-certificate'])
  const key = pem(user['client-key-data'], user['client-key'])
  const source = loginOf(facts)
  return {
    async current() {
      const login = await source.current()
      return {
        headers: login.headers,
        cert: login.cert ?? cert,
        key: login.key ?? key,
      }
    },
    renew: () => source.renew(),
  }
}

/** Order as in client-go: a token file before a token, both before plugins. */
function loginOf(facts: Parameters<typeof credentialsOf>[0]): CredentialSource {
  const { user, clock } = facts
  if (user.tokenFile) return tokenFileCredentials(user.tokenFile, clock)
  if (user.token) return fixedCredentials(bearer(user.token))
  if (user.username) {
    const pair = Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64')
    return fixedCredentials({ headers: { authorization: `Basic ${pair}` } })
  }
  if (user.exec) {
    return pluginCredentials({
      user: { exec: withExecInfo(user.exec, facts) },
      installHint: user.exec.installHint,
    })
  }
  if (user['auth-provider']) {
    return pluginCredentials({
      user: { 'auth-provider': user['auth-provider'] },
      installHint: undefined,
    })
  }
  return fixedCredentials({ headers: {} })
}

function fixedCredentials(credentials: Credentials): CredentialSource {
  return { current: async () => credentials, renew: () => false }
}

/** The kubelet changes a pod's token about hourly: read again after a minute, as client-go does. */
function tokenFileCredentials(file: string, clock: Clock): CredentialSource {
  let known: { readonly credentials: Credentials; readonly until: number } | undefined
  return {
    async current() {
      if (!known || clock.now() >= known.until) {
        const credentials = bearer(readText(file).trim())
        known = { credentials, until: clock.now() + 60_000 }
      }
      return known.credentials
    },
    renew() {
      known = undefined
      return true
    },
  }
}

function bearer(token: string): Credentials {
  return { headers: { authorization: `Bearer ${token}` } }
}

/** What client-go tells an exec plugin; client-node leaves it out, and some plugins insist on it. */
function withExecInfo(
  exec: ExecEntry,
  facts: { cluster: ClusterEntry; baseUrl: string; ca: string | undefined },
): ExecEntry {
  const extension = facts.cluster.extensions?.find(
    ({ name }) => name === 'client.authentication.k8s.io/exec',
  )
  const cluster = {
    server: facts.baseUrl,
    ...(facts.ca ? { 'certificate-authority-data': Buffer.from(facts.ca).toString('base64') } : {}),
    ...(facts.cluster['insecure-skip-tls-verify'] ? { 'insecure-skip-tls-verify': true } : {}),
    ...(extension ? { config: extension.extension } : {}),
  }
  const info = {
    apiVersion: exec.apiVersion,
    kind: 'ExecCredential',
    spec: { interactive: false, ...(exec.provideClusterInfo ? { cluster } : {}) },
  }
  const variable = { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }
  return { ...exec, env: [...(exec.env ?? []), variable] }
}

function impersonationHeaders(user: UserEntry): Record<string, string[]> {
  const headers: Record<string, string[]> = {}
  if (user.as) headers['impersonate-user'] = [user.as]
  if (user['as-uid']) headers['impersonate-uid'] = [user['as-uid']]
  if (user['as-groups']?.length) headers['impersonate-group'] = [...user['as-groups']]
  for (const [name, values] of Object.entries(user['as-user-extra'] ?? {})) {
    headers[`impersonate-extra-${encodeURIComponent(name.toLowerCase())}`] = [...values]
  }
  return headers
}

/** Data goes before a file, as in client-go. */
function pem(data: string | undefined, file: string | undefined): string | undefined {
  if (data) return Buffer.from(data, 'base64').toString('utf8')
  return file ? readText(file) : undefined
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new KubeconfigError(`cannot read ${file}: ${(cause as NodeJS.ErrnoException).code}`, {
      cause,
    })
  }
}

/** A file that is missing is none; one that may not be read is an error. */
function readIfPresent(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new KubeconfigError(`cannot read ${file}: ${code}`, { cause })
  }
}
