import { expect, test } from 'vitest'
import type { MetricProvider } from '../types.ts'
import { authenticationProblems } from './authentication.ts'

const secret = { secretKeyRef: { name: 'login', key: 'password' } }

function problems(provider: MetricProvider): readonly string[] {
  return authenticationProblems('provider', provider)
}

test('a credential stands in the metric or in a Secret, not in both', () => {
  expect(
    problems({
      web: {
        url: 'https://shop',
        headers: [{ key: 'X-Key', value: 'a', valueFrom: secret }, { key: 'X-None' }],
        authentication: {
          basicAuth: {
            username: 'a',
            usernameFrom: secret,
            password: 'b',
            passwordFrom: secret,
          },
          oauth2: { clientSecret: 'c', clientSecretFrom: secret },
        },
      },
    }),
  ).toEqual([
    'provider.web.authentication.basicAuth has both username and usernameFrom: remove one of them',
    'provider.web.authentication.basicAuth has both password and passwordFrom: remove one of them',
    'provider.web.authentication.oauth2 has both clientSecret and clientSecretFrom: remove one of them',
    'provider.web.headers[0] has both value and valueFrom: remove one of them',
    'provider.web.headers[1] needs value or valueFrom',
  ])
  expect(
    problems({
      prometheus: {
        authentication: { basicAuth: { username: 'a', passwordFrom: secret } },
        headers: [
          { key: 'X-Key', valueFrom: secret },
          { key: 'X-Empty', value: '' },
        ],
      },
    }),
  ).toEqual([])
})

test('TLS settings that would have no effect are refused', () => {
  const tls = (settings: object, source: object = {}) =>
    problems({
      graphite: { address: 'https://graphite', ...source, authentication: { tls: settings } },
    } as MetricProvider)
  expect(tls({})).toEqual([
    'provider.graphite.authentication.tls needs secretName, caFrom or serverName',
  ])
  const needsOne = [
    'provider.graphite.authentication.tls.caFrom needs either configMapKeyRef or secretKeyRef',
  ]
  const ref = { name: 'a', key: 'b' }
  expect(tls({ caFrom: {} })).toEqual(needsOne)
  expect(tls({ caFrom: { configMapKeyRef: ref, secretKeyRef: ref } })).toEqual(needsOne)
  expect(tls({ secretName: 'a' }, { insecure: true })).toEqual([
    'provider.graphite.authentication.tls and insecure exclude each other: remove insecure',
  ])
  expect(tls({ secretName: 'a' }, { address: 'http://graphite' })).toEqual([
    'provider.graphite.authentication.tls means nothing over http: the address must begin with https://',
  ])
  expect(tls({ secretName: 'a', caFrom: { configMapKeyRef: ref }, serverName: 'b' })).toEqual([])
})
