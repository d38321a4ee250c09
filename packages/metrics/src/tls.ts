import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { MetricProvider } from '@serinus/api'
import type { TlsMaterial } from '@serinus/kube'
import type { MeasureInput } from './provider.ts'
import { readKeyOfRun, readOfRun } from './read-of-run.ts'

type Tls = NonNullable<
  NonNullable<NonNullable<MetricProvider['graphite']>['authentication']>['tls']
>

/**
 * Authorities and client certificate as a metric names them, from the namespace of the run. Rejects with the path, the
 * object and what is wrong with it; a certificate that OpenSSL would refuse in the middle of a handshake is found here.
 *
 * @param path where `tls` stands in the metric: `provider.web.authentication.tls`
 */
export async function tlsMaterial(
  input: MeasureInput,
  path: string,
  tls: Tls | undefined,
): Promise<TlsMaterial | undefined> {
  if (!tls) return undefined
  const [pair, authorities] = await Promise.all([
    pairIn(input, path, tls),
    caFrom(input, path, tls),
  ])
  const ca = authorities ?? pair.ca
  return {
    // The settings: the same in two metrics of a namespace, they share their connections.
    name: JSON.stringify([input.run.metadata.namespace, tls]),
    ...(ca === undefined ? {} : { ca }),
    ...(pair.cert === undefined ? {} : { cert: pair.cert }),
    ...(pair.key === undefined ? {} : { key: pair.key }),
    ...(tls.serverName ? { serverName: tls.serverName } : {}),
  }
}

type Pair = Pick<TlsMaterial, 'ca' | 'cert' | 'key'>

/** A Secret as cert-manager writes it; an empty `ca.crt` is what it writes where the authority is a public one. */
async function pairIn(input: MeasureInput, path: string, { secretName: name }: Tls): Promise<Pair> {
  if (!name) return {}
  const place = `${path}.secretName`
  const values = await readOfRun(input, 'secret', { path: place, name })
  const [ca, cert, key] = ['ca.crt', 'tls.crt', 'tls.key'].map(
    (field) => values[field] || undefined,
  )
  if (key !== undefined) input.hide(key.trim())
  if (!ca && !cert && !key)
    throw new Error(`${place}: secret '${name}' has neither ca.crt nor tls.crt and tls.key`)
  if (Boolean(cert) !== Boolean(key)) {
    const [there, missing] = cert ? ['tls.crt', 'tls.key'] : ['tls.key', 'tls.crt']
    throw new Error(`${place}: secret '${name}' has ${there} without ${missing}`)
  }
  const of = (field: string) => `${place}: ${field} of secret '${name}'`
  if (ca) certificateIn(ca, of('ca.crt'))
  if (cert && key) checkPair({ cert, key }, of)
  return { ...(ca ? { ca } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}) }
}

function checkPair(
  { cert, key }: { readonly cert: string; readonly key: string },
  of: (field: string) => string,
): void {
  const certificate = certificateIn(cert, of('tls.crt'))
  if (!certificate.checkPrivateKey(privateKeyIn(key, of('tls.key'))))
    throw new Error(`${of('tls.key')} is not the key of its tls.crt`)
}

async function caFrom(
  input: MeasureInput,
  path: string,
  { caFrom: from }: Tls,
): Promise<string | undefined> {
  if (!from) return undefined
  const [kind, ref] = from.configMapKeyRef
    ? (['configMap', from.configMapKeyRef] as const)
    : (['secret', from.secretKeyRef] as const)
  if (!ref) throw new Error(`${path}.caFrom needs configMapKeyRef or secretKeyRef`)
  const place = `${path}.caFrom.${kind}KeyRef`
  const text = await readKeyOfRun(input, kind, { path: place, ...ref })
  certificateIn(text, `${place}: ${ref.key} of ${kind.toLowerCase()} '${ref.name}'`)
  return text
}

function certificateIn(pem: string, what: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw new Error(`${what} is no certificate in PEM form`, { cause })
  }
}

function privateKeyIn(pem: string, what: string) {
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw new Error(`${what} is no private key in PEM form, or needs a passphrase`, { cause })
  }
}
