import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import type { Clock } from '@serinus/kube'
import * as der from './der.ts'
import type { Journal } from './journal.ts'

/** PEM texts of a cluster's certificates. They last as long as the cluster's data. */
export interface Certificates {
  readonly authority: string
  readonly server: PemPair
  readonly admin: PemPair
}

interface PemPair {
  readonly certificate: string
  readonly key: string
}

interface KeyPair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

/** Parts of a name, in the order they are written: `[['O', 'system:masters'], ['CN', 'admin']]`. */
type Name = readonly (readonly ['CN' | 'O', string])[]

const oids = {
  CN: '2.5.4.3',
  O: '2.5.4.10',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
}

const hourMs = 3600 * 1000
const yearMs = 365 * 24 * hourMs
const authorityName: Name = [['CN', 'serinus-ca']]

/** Names under which clients inside and outside of a cluster reach its API. */
const serverNames = [
  'localhost',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
]

/** Reads the certificates the journal kept for that address, or makes them. */
export function clusterCertificates(options: {
  readonly clock: Clock
  readonly host: string
  readonly journal: Journal | undefined
}): Certificates {
  const { clock, host, journal } = options
  const fact = `certificates/${host}`
  const known = journal?.fact(fact)
  if (known !== undefined) return JSON.parse(known) as Certificates
  const made = makeCertificates(clock.now(), host)
  journal?.keepFact(fact, JSON.stringify(made))
  return made
}

function makeCertificates(now: number, host: string): Certificates {
  const authority = generateKeys()
  const identifier = keyIdentifier(authority.publicKey)
  const issue = (subject: Name, extensions: readonly Uint8Array[]): PemPair => {
    const keys = generateKeys()
    const certificate = signedCertificate({
      subject,
      keys,
      signer: authority.privateKey,
      now,
      years: 10,
      extensions: [
        extension(oids.basicConstraints, der.sequence(), true),
        // digitalSignature is the first bit of eight.
        extension(oids.keyUsage, der.bits(Buffer.from([0x80]), 7), true),
        ...extensions,
        extension(oids.authorityKeyIdentifier, der.sequence(der.implicit(0, identifier))),
      ],
    })
    const key = keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
    return { certificate, key }
  }
  const addresses = [...new Set(['127.0.0.1', '::1', host])]
  return {
    authority: signedCertificate({
      subject: authorityName,
      keys: authority,
      signer: authority.privateKey,
      now,
      years: 20,
      extensions: [
        extension(oids.basicConstraints, der.sequence(der.boolean(true)), true),
        // keyCertSign and cRLSign, the sixth and seventh bit.
        extension(oids.keyUsage, der.bits(Buffer.from([0x06]), 1), true),
        extension(oids.subjectKeyIdentifier, der.octets(identifier)),
      ],
    }),
    server: issue(
      [['CN', 'kube-apiserver']],
      [
        extension(oids.extendedKeyUsage, der.sequence(der.objectId(oids.serverAuth))),
        extension(
          oids.subjectAlternativeName,
          der.sequence(...addresses.map(alternativeName), ...serverNames.map(alternativeName)),
        ),
      ],
    ),
    admin: issue(
      [
        ['O', 'system:masters'],
        ['CN', 'kubernetes-admin'],
      ],
      [extension(oids.extendedKeyUsage, der.sequence(der.objectId(oids.clientAuth)))],
    ),
  }
}

function generateKeys(): KeyPair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest()
}

/** RFC 5280 4.1; signed with ECDSA and SHA-256. */
function signedCertificate(facts: {
  readonly subject: Name
  readonly keys: KeyPair
  readonly signer: KeyObject
  readonly now: number
  readonly years: number
  readonly extensions: readonly Uint8Array[]
}): string {
  const { subject, keys, signer, now, years, extensions } = facts
  const algorithm = der.sequence(der.objectId(oids.ecdsaWithSha256))
  const body = der.sequence(
    der.explicit(0, der.integer(Buffer.from([2]))),
    der.integer(randomBytes(8)),
    algorithm,
    nameBytes(authorityName),
    // A client whose clock is a little behind must not see a certificate of the future.
    der.sequence(der.time(now - hourMs), der.time(now + years * yearMs)),
    nameBytes(subject),
    keys.publicKey.export({ format: 'der', type: 'spki' }),
    der.explicit(3, der.sequence(...extensions)),
  )
  const certificate = der.sequence(body, algorithm, der.bits(sign('sha256', body, signer)))
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}

function nameBytes(name: Name): Buffer {
  return der.sequence(
    ...name.map(([type, value]) =>
      der.set(der.sequence(der.objectId(oids[type]), der.utf8(value))),
    ),
  )
}

function extension(oid: string, value: Uint8Array, critical = false): Buffer {
  const marks = critical ? [der.boolean(true)] : []
  return der.sequence(der.objectId(oid), ...marks, der.octets(value))
}

function alternativeName(name: string): Buffer {
  if (name === '::1') return der.implicit(7, Buffer.from([...Array(15).fill(0), 1]))
  if (/^\d+(\.\d+){3}$/.test(name)) return der.implicit(7, Buffer.from(name.split('.').map(Number)))
  return der.implicit(2, Buffer.from(name))
}
