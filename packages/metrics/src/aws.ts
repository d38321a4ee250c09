import { beforeDeadline } from './before-deadline.ts'
import { ask } from './http.ts'
import type { AwsCredentials } from './kept.ts'
import type { MeasureInput } from './provider.ts'

type Env = MeasureInput['env']

/** Where a metric wants to be in AWS; what is absent follows from the environment and the shared configuration files. */
export interface AwsPlace {
  readonly region?: string
  readonly profile?: string
  readonly roleArn?: string
}

/** Temporary credentials that are about to end could do so on the way. */
const earlyMs = 60_000

/**
 * Credentials by Amazon's default chain (environment, web identity, profile, container, instance), for a role if one is
 * named. Temporary ones are kept until shortly before they expire. What is secret of them is masked from now on.
 */
export async function awsCredentials(
  input: MeasureInput,
  place: AwsPlace & { readonly region: string },
): Promise<AwsCredentials> {
  const { env } = input
  const key = JSON.stringify([
    place.region,
    place.profile,
    place.roleArn,
    env['AWS_PROFILE'],
    env['AWS_ACCESS_KEY_ID'],
    env['AWS_ROLE_ARN'],
  ])
  const known = input.kept.awsCredentials.get(key)
  if (known) return hidden(input, known)
  const credentials = await beforeDeadline(input.signal, resolved(input, place))
  hidden(input, credentials)
  const { expiration } = credentials
  if (expiration) input.kept.awsCredentials.set(key, credentials, expiration.getTime() - earlyMs)
  return credentials
}

async function resolved(
  input: MeasureInput,
  { region, profile, roleArn }: AwsPlace & { readonly region: string },
): Promise<AwsCredentials> {
  const clientConfig = { region, requestHandler: awsTransport(input) }
  const named = profile || input.env['AWS_PROFILE']
  const own = profile ? null : ofEnvironment(input.env)
  const chain = async () => {
    const { fromNodeProviderChain } = await import('@aws-sdk/credential-providers')
    // A file that was rotated counts from the next measurement on.
    return fromNodeProviderChain({
      clientConfig,
      ignoreCache: true,
      ...(named ? { profile: named } : {}),
    })()
  }
  const base = hidden(input, own ?? (await chain()))
  if (!roleArn) return base
  const { fromTemporaryCredentials } = await import('@aws-sdk/credential-providers')
  const endpoint = awsEndpoint(input.env, 'STS')
  return fromTemporaryCredentials({
    masterCredentials: base,
    params: { RoleArn: roleArn, RoleSessionName: `argo-rollouts-${Math.floor(input.clock.now())}` },
    clientConfig: { ...clientConfig, ...(endpoint ? { endpoint } : {}) },
  })()
}

/** Keys written out win over everything but a profile that the metric names. */
function ofEnvironment(env: Env): AwsCredentials | null {
  const [accessKeyId, secretAccessKey] = [env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY']]
  const sessionToken = env['AWS_SESSION_TOKEN']
  if (!accessKeyId || !secretAccessKey) return null
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) }
}

function hidden(input: MeasureInput, credentials: AwsCredentials): AwsCredentials {
  input.hide(credentials.secretAccessKey)
  if (credentials.sessionToken) input.hide(credentials.sessionToken)
  return credentials
}

/** The region that the metric, the environment or the profile names; null: none does. */
export async function awsRegion(env: Env, place: AwsPlace): Promise<string | null> {
  const written = place.region || env['AWS_REGION'] || env['AWS_DEFAULT_REGION']
  if (written) return written
  const config = await import('@smithy/core/config')
  const profile = place.profile || env['AWS_PROFILE']
  const options = {
    ...config.NODE_REGION_CONFIG_FILE_OPTIONS,
    ignoreCache: true,
    ...(profile ? { profile } : {}),
  }
  return config
    .loadConfig(config.NODE_REGION_CONFIG_OPTIONS, options)()
    .catch(() => null)
}

/** Another address for a service of AWS, as Amazon's tools read it from the environment. */
export function awsEndpoint(env: Env, service: 'CLOUDWATCH' | 'STS'): string | undefined {
  if (env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'] === 'true') return undefined
  return env[`AWS_ENDPOINT_URL_${service}`] || env['AWS_ENDPOINT_URL'] || undefined
}

/** A request as the SDK hands it to its transport, as far as we send it. */
interface SdkRequest {
  readonly method: string
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** The SDK's way to the network: ours, with its proxies, its limits, its deadline and its error texts. */
export function awsTransport(input: MeasureInput): {
  handle(request: SdkRequest): Promise<{ response: SdkResponse }>
  readonly metadata: { readonly handlerProtocol: string }
} {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    async handle(request) {
      const body = bodyOf(request.body)
      const reply = await ask(input, {
        url: urlOf(request).href,
        method: request.method,
        headers: Object.entries(request.headers),
        ...(body ? { body } : {}),
      })
      const response = {
        statusCode: reply.status,
        reason: reply.statusText,
        headers: Object.fromEntries(reply.headers),
        body: Buffer.from(reply.text),
      }
      return { response }
    },
  }
}

interface SdkResponse {
  readonly statusCode: number
  readonly reason: string
  readonly headers: Record<string, string>
  readonly body: Uint8Array
}

function bodyOf(body: unknown): string {
  if (body === undefined || body === null) return ''
  if (typeof body === 'string') return body
  // Not Buffer.from: the SDK's own kind of array complains on the console when that looks at it.
  if (body instanceof Uint8Array) return new TextDecoder().decode(body)
  throw new TypeError(`the SDK sends a body of an unknown kind: ${typeof body}`)
}

function urlOf({ protocol, hostname, port, path, query = {} }: SdkRequest): URL {
  const url = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`)
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) url.searchParams.append(name, one ?? '')
  }
  return url
}

/** The region of the process, or why requests to AWS cannot be made. */
export async function neededRegion(input: MeasureInput): Promise<string> {
  const region = await awsRegion(input.env, {})
  if (region) return region
  throw new Error(
    'region not configured: name it in AWS_REGION of the controller or in the profile of its AWS configuration',
  )
}
