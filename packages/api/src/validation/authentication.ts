import type { MetricProvider } from '../types.ts'

type Prometheus = NonNullable<MetricProvider['prometheus']>
type Authentication = NonNullable<Prometheus['authentication']>

interface Source {
  readonly address?: string
  readonly url?: string
  readonly insecure?: boolean
  readonly headers?: Prometheus['headers']
  readonly authentication?: Authentication
}

const asking = ['prometheus', 'web', 'graphite', 'skywalking'] as const

/**
 * What is wrong with how a metric authenticates, one text for each mistake.
 *
 * @param path where the provider's key stands: `provider`, or `provider.counts.canary.total`
 */
export function authenticationProblems(path: string, provider: MetricProvider): readonly string[] {
  return asking.flatMap((key) => {
    const source: Source | undefined = provider[key]
    return source ? sourceProblems(`${path}.${key}`, source) : []
  })
}

function sourceProblems(path: string, source: Source): readonly string[] {
  const { basicAuth, oauth2 } = source.authentication ?? {}
  const both = (place: string, name: string, facts: { value: unknown; from: unknown }) =>
    facts.value && facts.from
      ? [`${place} has both ${name} and ${name}From: remove one of them`]
      : []
  const place = `${path}.authentication`
  return [
    ...both(`${place}.basicAuth`, 'username', {
      value: basicAuth?.username,
      from: basicAuth?.usernameFrom,
    }),
    ...both(`${place}.basicAuth`, 'password', {
      value: basicAuth?.password,
      from: basicAuth?.passwordFrom,
    }),
    ...both(`${place}.oauth2`, 'clientSecret', {
      value: oauth2?.clientSecret,
      from: oauth2?.clientSecretFrom,
    }),
    ...(source.headers ?? []).flatMap(({ value, valueFrom }, index) => [
      ...both(`${path}.headers[${index}]`, 'value', { value, from: valueFrom }),
      ...(value === undefined && !valueFrom
        ? [`${path}.headers[${index}] needs value or valueFrom`]
        : []),
    ]),
    ...tlsProblems(place, source),
  ]
}

function tlsProblems(place: string, source: Source): readonly string[] {
  const { tls, oauth2 } = source.authentication ?? {}
  if (!tls) return []
  const { configMapKeyRef, secretKeyRef } = tls.caFrom ?? {}
  const addresses = [source.address, source.url, oauth2?.tokenUrl].filter(Boolean)
  return [
    ...(tls.secretName || tls.caFrom || tls.serverName
      ? []
      : [`${place}.tls needs secretName, caFrom or serverName`]),
    ...(tls.caFrom && Boolean(configMapKeyRef) === Boolean(secretKeyRef)
      ? [`${place}.tls.caFrom needs either configMapKeyRef or secretKeyRef`]
      : []),
    // With both, whoever reads the manifest believes that the certificate is checked.
    ...(source.insecure ? [`${place}.tls and insecure exclude each other: remove insecure`] : []),
    ...(addresses.length > 0 && addresses.every((address) => /^http:/i.test(address ?? ''))
      ? [`${place}.tls means nothing over http: the address must begin with https://`]
      : []),
  ]
}
