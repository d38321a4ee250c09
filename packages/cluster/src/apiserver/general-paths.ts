import { createHash } from 'node:crypto'
import { answer, answerText } from './answers.ts'
import { type Authenticator, issuer } from './authentication.ts'
import type { Catalog } from './catalog.ts'
import { negotiate } from './content.ts'
import { aggregatedDiscovery, discoveryDocument } from './discovery.ts'
import type { OpenApi } from './open-api.ts'
import { protobufSwagger } from './open-api-protobuf.ts'
import { notAcceptable, unknownPath } from './status-error.ts'

export interface GeneralParts {
  readonly catalog: Catalog
  readonly openApi: OpenApi
  readonly authenticator: Authenticator
  readonly serverUrl: string
}

/** Everything that is not a resource: discovery, OpenAPI, health, version. */
export async function answerGeneralPath(
  request: Request,
  url: URL,
  parts: GeneralParts,
): Promise<Response> {
  const path = url.pathname
  const negotiated = negotiate(request, url.searchParams)
  switch (path) {
    case '/':
      return answer(request, negotiated, {
        paths: [
          '/api',
          '/apis',
          '/healthz',
          '/livez',
          '/openapi/v2',
          '/openapi/v3',
          '/readyz',
          '/version',
        ],
      })
    case '/version':
    case '/version/':
      return answer(request, negotiated, serverVersion)
    case '/openapi/v2':
      return swagger(request, parts)
    case '/openapi/v3':
    case '/openapi/v3/':
      return answer(request, negotiated, parts.openApi.index())
    case '/openid/v1/jwks':
      return answer(request, negotiated, parts.authenticator.jwks, {
        contentType: 'application/jwk-set+json',
      })
    case '/.well-known/openid-configuration':
      return answer(request, negotiated, {
        issuer,
        jwks_uri: `${parts.serverUrl}/openid/v1/jwks`,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['ES256'],
      })
    default:
  }
  if (/^\/(healthz|livez|readyz)(\/.*)?$/.test(path)) return answerText(request, 'ok', {})
  if (path.startsWith('/openapi/v3/')) return groupDocument(request, url, parts)
  const root = /^\/(apis?)\/?$/.exec(path)?.[1] as 'api' | 'apis' | undefined
  const aggregated = root && aggregatedVersion(request)
  if (root && aggregated) {
    const document = aggregatedDiscovery(parts.catalog, root, aggregated)
    const etag = `"${createHash('sha256').update(JSON.stringify(document)).digest('hex').toUpperCase()}"`
    return answer(request, negotiated, document, {
      contentType: `application/json;g=apidiscovery.k8s.io;v=${aggregated};as=APIGroupDiscoveryList`,
      etag,
    })
  }
  const document = discoveryDocument(parts.catalog, path, new URL(parts.serverUrl).host)
  if (!document) throw unknownPath()
  return answer(request, negotiated, document)
}

async function swagger(request: Request, parts: GeneralParts): Promise<Response> {
  const accept = request.headers.get('accept') ?? '*/*'
  if (accept.includes('application/com.github.proto-openapi.spec.v2')) {
    // Clients ask with an `@`, which Go's own parser refuses to read back.
    const headers = {
      'content-type': 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
    }
    return new Response(protobufSwagger(parts.catalog), { headers })
  }
  if (!/application\/json|\*\/\*|application\/\*/.test(accept)) {
    throw notAcceptable('application/json')
  }
  return answerText(request, parts.openApi.swagger(), { contentType: 'application/json' })
}

function groupDocument(request: Request, url: URL, parts: GeneralParts): Promise<Response> {
  const accept = request.headers.get('accept') ?? '*/*'
  if (!/application\/json|\*\/\*|application\/\*/.test(accept)) {
    throw notAcceptable('application/json')
  }
  const text = parts.openApi.document(url.pathname.slice('/openapi/v3/'.length))
  if (text === undefined) throw unknownPath()
  const hash = url.searchParams.get('hash')
  return answerText(request, text, {
    contentType: 'application/json',
    ...(hash && { etag: `"${hash}"` }),
  })
}

const serverVersion = {
  major: '1',
  minor: '34',
  emulationMajor: '1',
  emulationMinor: '34',
  minCompatibilityMajor: '1',
  minCompatibilityMinor: '33',
  gitVersion: 'v1.34.0',
  gitCommit: '0000000000000000000000000000000000000000',
  gitTreeState: 'clean',
  buildDate: '2025-08-27T00:00:00Z',
  goVersion: 'serinus',
  compiler: 'serinus',
  platform: 'linux/amd64',
}

function aggregatedVersion(request: Request): string | undefined {
  const accept = request.headers.get('accept') ?? ''
  for (const part of accept.split(',')) {
    if (!part.includes('as=APIGroupDiscoveryList')) continue
    const version = /v=(v2beta1|v2)\b/.exec(part)?.[1]
    if (version && part.trim().startsWith('application/json')) return version
  }
  return undefined
}
