import { createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Metric } from '@serinus/api'
import { RealClock } from '@serinus/kube'
import { providerOf } from '@serinus/metrics'
import { expect, onTestFinished, test } from 'vitest'
import { outsideFetch } from '../packages/cli/src/serinus/outside-fetch.ts'
import { clusterCertificates } from '../packages/cluster/src/apiserver/certificates.ts'
import { measureInput } from '../packages/metrics/src/test-input.ts'

const certificates = () =>
  clusterCertificates({ clock: new RealClock(), host: 'metrics.acme', journal: undefined })

const own = certificates()
const foreign = certificates()

const answers: Readonly<Record<string, string>> = {
  '/api/v1/query': '{"status":"success","data":{"resultType":"scalar","result":[0,"1"]}}',
  '/render': '[{"target":"a","datapoints":[[1,0]]}]',
  '/graphql': '{"data":{"a":1}}',
}

/** A server that takes clients of `own` and `foreign` alone, and remembers by which certificate they came. */
async function server() {
  const clients: string[] = []
  const versions = new Set<string>()
  const https = createSecureServer(
    {
      allowHTTP1: true,
      cert: own.server.certificate,
      key: own.server.key,
      ca: [own.authority, foreign.authority],
      requestCert: true,
    },
    (request, response) => {
      versions.add(request.httpVersion)
      clients.push((request.socket as TLSSocket).getPeerX509Certificate()?.toString() ?? '')
      response.setHeader('content-type', 'application/json')
      response.end(answers[new URL(request.url ?? '', 'http://x').pathname] ?? '1')
    },
  )
  await new Promise<void>((resolve) => https.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    https.close()
  })
  return { clients, versions, url: `https://127.0.0.1:${(https.address() as AddressInfo).port}` }
}

type Secrets = Readonly<Record<string, Readonly<Record<string, string>>>>

const whole = {
  'ca.crt': own.authority,
  'tls.crt': own.admin.certificate,
  'tls.key': own.admin.key,
}

async function measured(provider: Metric['provider'], secrets: Secrets, hidden: string[] = []) {
  const metric = { name: 'm', successCondition: 'true', provider } as Metric
  const read = async ({ name }: { readonly name: string }) => {
    const values = secrets[name]
    if (!values) throw new Error(`secrets "${name}" not found`)
    return values
  }
  const input = measureInput(metric, {
    clock: new RealClock(),
    fetch: outsideFetch({}),
    readSecret: read,
    readConfigMap: read,
    hide: (text) => hidden.push(text),
  })
  try {
    const result = await providerOf(metric).run(input)
    return result.kind === 'done' ? [result.phase, result.message ?? ''] : [result.kind, '']
  } catch (error) {
    return ['Error', (error as Error).message]
  }
}

test('each provider that speaks TLS shows the certificate of its Secret and trusts its authority', async () => {
  const { url, clients, versions } = await server()
  const authentication = { tls: { secretName: 'shop-client' } }
  const providers: readonly Metric['provider'][] = [
    { prometheus: { address: url, query: '1', authentication } },
    { web: { url, authentication } },
    { graphite: { address: url, query: 'target=a', authentication } },
    { skywalking: { address: url, query: '{a}', interval: '5m', authentication } },
  ]
  const hidden: string[] = []
  for (const provider of providers) {
    expect(await measured(provider, { 'shop-client': whole }, hidden)).toEqual(['Successful', ''])
    expect(await measured(withoutTls(provider), {})).toEqual([
      'Error',
      expect.stringMatching(/tls: failed to verify certificate/),
    ])
  }
  expect(clients).toEqual(providers.map(() => own.admin.certificate))
  expect(hidden).toContain(own.admin.key.trim())
  expect(versions).toEqual(new Set(['1.1']))
})

function withoutTls(provider: Metric['provider']): Metric['provider'] {
  return JSON.parse(
    JSON.stringify(provider, (key, value) => (key === 'authentication' ? undefined : value)),
  )
}

test('an authority of a ConfigMap goes before that of the Secret', async () => {
  const { url } = await server()
  const tls = { secretName: 'c', caFrom: { configMapKeyRef: { name: 'trust', key: 'bundle.pem' } } }
  const secrets = {
    trust: { 'bundle.pem': own.authority },
    c: { ...whole, 'ca.crt': foreign.authority },
  }
  expect(await measured({ web: { url, authentication: { tls } } }, secrets)).toEqual([
    'Successful',
    '',
  ])
})

test('a server that hangs up on a client without its certificate is understood', async () => {
  const { url, clients } = await server()
  const { 'ca.crt': authority } = whole
  const tls = { secretName: 'c' }
  const [phase, message] = await measured(
    { web: { url, authentication: { tls } } },
    { c: { 'ca.crt': authority } },
  )
  expect(phase).toBe('Error')
  expect(message).toMatch(/certificate required \(Web\)|the server may want a client certificate/)
  expect(clients).toEqual([])
})

test('a server of another authority or name is refused, and the provider named', async () => {
  const { url, clients } = await server()
  const asked = (tls: object, secrets: Secrets) =>
    measured(
      { prometheus: { address: url, query: '1', authentication: { tls } } } as Metric['provider'],
      secrets,
    )
  expect(
    await asked({ secretName: 'c' }, { c: { ...whole, 'ca.crt': foreign.authority } }),
  ).toEqual(['Error', expect.stringMatching(/tls: failed to verify certificate: .*\(Prometheus\)/)])
  expect(await asked({ secretName: 'c', serverName: 'other.acme' }, { c: whole })).toEqual([
    'Error',
    expect.stringMatching(/tls: failed to verify certificate: .*other\.acme.*\(Prometheus\)/),
  ])
  expect(clients).toEqual([])
  expect(await asked({ secretName: 'c', serverName: 'metrics.acme' }, { c: whole })).toEqual([
    'Successful',
    '',
  ])
})

test('what is wrong with a Secret is said before anybody is asked', async () => {
  const { url, clients } = await server()
  const tls = { secretName: 'c' }
  const said = async (c: Readonly<Record<string, string>>) =>
    (await measured({ web: { url, authentication: { tls } } }, { c }))[1]
  const place = 'provider.web.authentication.tls.secretName'
  const { 'tls.key': key, ...keyless } = whole
  expect(await said(keyless)).toBe(`${place}: secret 'c' has tls.crt without tls.key`)
  expect(await said({ 'tls.key': key })).toBe(`${place}: secret 'c' has tls.key without tls.crt`)
  expect(await said({ 'ca.crt': '' })).toBe(
    `${place}: secret 'c' has neither ca.crt nor tls.crt and tls.key`,
  )
  expect(await said({ ...whole, 'ca.crt': 'no certificate' })).toBe(
    `${place}: ca.crt of secret 'c' is no certificate in PEM form`,
  )
  expect(await said({ ...whole, 'tls.key': 'no key' })).toBe(
    `${place}: tls.key of secret 'c' is no private key in PEM form, or needs a passphrase`,
  )
  expect(await said({ ...whole, 'tls.key': foreign.admin.key })).toBe(
    `${place}: tls.key of secret 'c' is not the key of its tls.crt`,
  )
  expect((await measured({ web: { url, authentication: { tls } } }, {}))[1]).toBe(
    `${place}: secrets "c" not found (in namespace app)`,
  )
  expect(clients).toEqual([])
})

test('a certificate that is replaced is shown from the next request on', async () => {
  const { url, clients } = await server()
  const fetch = outsideFetch({})
  const material = ({ admin }: typeof own) => ({
    name: 'shop-client',
    ca: own.authority,
    cert: admin.certificate,
    key: admin.key,
  })
  for (const pair of [own, own, foreign]) {
    await (await fetch(new Request(url), { tls: material(pair) })).text()
  }
  expect(clients).toEqual([own, own, foreign].map(({ admin }) => admin.certificate))
})
