import { type AwsPlace, awsCredentials, awsRegion } from './aws.ts'
import type { HeaderFields, Unsigned } from './http.ts'
import type { MeasureInput } from './provider.ts'

/**
 * Signs requests as Amazon's Managed Prometheus wants them (Signature Version 4; spec metric-providers 2.1). Only what no
 * gateway changes is signed: host, content type and body. Rejects where no region or no credentials can be had: nothing is
 * sent unsigned.
 */
export async function sigv4Signer(
  input: MeasureInput,
  place: AwsPlace,
): Promise<(message: Unsigned) => Promise<HeaderFields>> {
  const region = await awsRegion(input.env, place)
  if (!region) throw new Error('region not configured in sigv4 or in default credentials chain')
  const credentials = await awsCredentials(input, { ...place, region }).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`could not get SigV4 credentials: ${why}`, { cause })
  })
  const [{ SignatureV4 }, { Sha256 }] = await Promise.all([
    import('@smithy/signature-v4'),
    import('@aws-crypto/sha256-js'),
  ])
  const signer = new SignatureV4({
    service: 'aps',
    region,
    credentials,
    sha256: Sha256,
    applyChecksum: false,
  })
  return async ({ url, method, headers, body }) => {
    const contentType = headers.get('Content-Type')
    const signed = await signer.sign(
      {
        method,
        protocol: url.protocol,
        hostname: url.hostname,
        path: url.pathname,
        query: queryOf(url),
        headers: {
          host: headers.get('Host') ?? url.host,
          ...(contentType ? { 'content-type': contentType } : {}),
        },
        ...(body === undefined ? {} : { body }),
      },
      { signingDate: new Date(input.clock.now()) },
    )
    const isSignature = ([name]: readonly [string, string]) =>
      name === 'authorization' || name.startsWith('x-amz-')
    return Object.entries(signed.headers).filter(isSignature)
  }
}

function queryOf(url: URL): Record<string, string[]> {
  const names = [...new Set(url.searchParams.keys())]
  return Object.fromEntries(names.map((name) => [name, url.searchParams.getAll(name)]))
}
