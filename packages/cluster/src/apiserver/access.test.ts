import { expect, test } from 'vitest'
import {
  type ApiUnderTest,
  apiUnderTest,
  configMaps,
  deployments,
  embeddedApiUnderTest,
  instant,
  testEmbedded,
} from './api-under-test.ts'

async function ask(
  api: ApiUnderTest,
  path: string,
  headers: Readonly<Record<string, string>> = {},
) {
  const response = await api.sendAsIs(new Request(`http://cluster${path}`, { headers }))
  const text = await response.text()
  return {
    status: response.status,
    message: text.startsWith('{') ? (JSON.parse(text).message as string) : text,
  }
}

const admin = ({ adminToken }: ApiUnderTest) => ({ authorization: `Bearer ${adminToken}` })
const as = (api: ApiUnderTest, user: string, group?: string) => ({
  ...admin(api),
  'impersonate-user': user,
  ...(group && { 'impersonate-group': group }),
})

function role(rules: readonly object[], name = 'reader') {
  return { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name }, rules }
}

function roleBinding(subject: object, roleRef: object = { kind: 'Role', name: 'reader' }) {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'reader' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', ...roleRef },
    subjects: [subject],
  }
}

const roles = '/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles'
const roleBindings = '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings'
const jane = { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'jane' }

test('without credentials only health and version are answered', async () => {
  const api = apiUnderTest()
  expect((await ask(api, '/livez')).message).toBe('ok')
  expect((await ask(api, '/version')).status).toBe(200)
  expect(await ask(api, configMaps)).toEqual({
    status: 403,
    message:
      'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" in the namespace "default"',
  })
  expect(await ask(api, '/apis')).toEqual({
    status: 403,
    message: 'forbidden: User "system:anonymous" cannot get path "/apis"',
  })
})

test('a wrong token is not a stranger but refused', async () => {
  expect(await ask(apiUnderTest(), '/livez', { authorization: 'Bearer wrong' })).toEqual({
    status: 401,
    message: 'Unauthorized',
  })
})

test('the token of the kubeconfig may do all', async () => {
  const api = apiUnderTest()
  expect((await ask(api, '/api/v1/secrets', admin(api))).status).toBe(200)
})

test('a role binding gives exactly its verbs, kinds and namespace', async () => {
  const api = apiUnderTest()
  await api.call(
    'POST',
    roles,
    role([{ apiGroups: [''], resources: ['configmaps'], verbs: ['list'] }]),
  )
  await api.call('POST', roleBindings, roleBinding(jane))
  expect((await ask(api, configMaps, as(api, 'jane'))).status).toBe(200)
  expect((await ask(api, `${configMaps}/a`, as(api, 'jane'))).message).toBe(
    'configmaps "a" is forbidden: User "jane" cannot get resource "configmaps" in API group "" in the namespace "default"',
  )
  expect((await ask(api, '/api/v1/configmaps', as(api, 'jane'))).message).toBe(
    'configmaps is forbidden: User "jane" cannot list resource "configmaps" in API group "" at the cluster scope',
  )
  expect((await ask(api, deployments, as(api, 'jane'))).status).toBe(403)
  expect((await ask(api, configMaps, as(api, 'joe'))).status).toBe(403)
})

test('resourceNames and subresources limit a rule', async () => {
  const api = apiUnderTest()
  await api.call(
    'POST',
    roles,
    role([
      {
        apiGroups: ['apps'],
        resources: ['deployments/scale'],
        resourceNames: ['web'],
        verbs: ['get'],
      },
    ]),
  )
  await api.call('POST', roleBindings, roleBinding(jane))
  expect((await ask(api, `${deployments}/web/scale`, as(api, 'jane'))).status).toBe(404)
  expect((await ask(api, `${deployments}/api/scale`, as(api, 'jane'))).status).toBe(403)
  expect((await ask(api, `${deployments}/web`, as(api, 'jane'))).status).toBe(403)
})

test('a group and a missing role are judged as they are', async () => {
  const api = apiUnderTest()
  await api.call('POST', roleBindings, roleBinding({ ...jane, kind: 'Group', name: 'team' }))
  expect((await ask(api, configMaps, as(api, 'jane', 'team'))).message).toBe(
    'configmaps is forbidden: User "jane" cannot list resource "configmaps" in API group "" in the namespace "default": RBAC: role.rbac.authorization.k8s.io "reader" not found',
  )
})

test('only those who may impersonate can', async () => {
  const api = apiUnderTest()
  await api.call(
    'POST',
    roles,
    role([{ apiGroups: [''], resources: ['serviceaccounts'], verbs: ['create'] }]),
  )
  await api.call('POST', '/api/v1/namespaces/default/serviceaccounts', {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'bot' },
  })
  const token = await api.call('POST', '/api/v1/namespaces/default/serviceaccounts/bot/token', {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: {},
  })
  const headers = { authorization: `Bearer ${token.body.status.token}`, 'impersonate-user': 'jane' }
  const refused = await ask(api, configMaps, headers)
  expect(refused.status).toBe(403)
  // Servers from 1.36 on name what was asked instead of the user.
  expect(refused.message).toMatch(
    /is forbidden: User "system:serviceaccount:default:bot" cannot impersonate/,
  )
})

testEmbedded('a token of a service account expires (needs virtual time)', async () => {
  const api = embeddedApiUnderTest()
  const accounts = '/api/v1/namespaces/default/serviceaccounts'
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'bot' } }
  await api.call('POST', accounts, account)
  const issued = await api.call('POST', `${accounts}/bot/token`, {
    spec: { expirationSeconds: 600 },
  })
  const headers = { authorization: `Bearer ${issued.body.status.token}` }
  await api.clock.advance(599_000)
  expect((await ask(api, configMaps, headers)).status).toBe(403)
  await api.clock.advance(2_000)
  expect((await ask(api, configMaps, headers)).status).toBe(401)
})

test('a RoleBinding may leave out the namespace of an account, a ClusterRoleBinding may not', async () => {
  const api = apiUnderTest()
  const bot = { kind: 'ServiceAccount', name: 'bot' }
  expect((await api.call('POST', roleBindings, roleBinding(bot))).status).toBe(201)
  const whole = {
    ...roleBinding(bot, { kind: 'ClusterRole', name: 'view' }),
    kind: 'ClusterRoleBinding',
    metadata: { name: 'no-namespace' },
  }
  const path = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings'
  expect((await api.call('POST', path, whole)).body.message).toBe(
    'ClusterRoleBinding.rbac.authorization.k8s.io "no-namespace" is invalid: subjects[0].namespace: Required value',
  )
})

test('a service account lives by its token, until the account is gone', async () => {
  const api = apiUnderTest()
  const accounts = '/api/v1/namespaces/default/serviceaccounts'
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'bot' } }
  await api.call('POST', accounts, account)
  await api.call(
    'POST',
    roles,
    role([{ apiGroups: [''], resources: ['configmaps'], verbs: ['*'] }]),
  )
  await api.call(
    'POST',
    roleBindings,
    roleBinding({ kind: 'ServiceAccount', name: 'bot', namespace: 'default' }),
  )
  const issued = await api.call('POST', `${accounts}/bot/token`, {
    spec: { expirationSeconds: 600 },
  })
  expect(issued.body.status.expirationTimestamp).toEqual(instant('2026-01-01T00:10:00Z'))
  const headers = { authorization: `Bearer ${issued.body.status.token}` }
  expect((await ask(api, configMaps, headers)).status).toBe(200)
  expect((await ask(api, deployments, headers)).status).toBe(403)
  const again = await api.call('POST', `${accounts}/bot/token`, { spec: {} })
  await api.call('DELETE', `${accounts}/bot`)
  await api.call('POST', accounts, account)
  expect(
    (await ask(api, configMaps, { authorization: `Bearer ${again.body.status.token}` })).status,
  ).toBe(401)
})

// In Kubernetes a controller does this, not the API server.
testEmbedded('view holds what aggregates to it, also roles that come later', async () => {
  const api = apiUnderTest()
  await api.call('POST', roleBindings, roleBinding(jane, { kind: 'ClusterRole', name: 'view' }))
  expect((await ask(api, configMaps, as(api, 'jane'))).status).toBe(200)
  expect((await ask(api, '/api/v1/namespaces/default/secrets', as(api, 'jane'))).status).toBe(403)
  await api.call('POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'more', labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } },
    rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['list'] }],
  })
  expect((await ask(api, '/api/v1/namespaces/default/secrets', as(api, 'jane'))).status).toBe(200)
})

test('access reviews say what the authorizer would', async () => {
  const api = apiUnderTest()
  await api.call(
    'POST',
    roles,
    role([{ apiGroups: [''], resources: ['pods/log'], verbs: ['get'] }]),
  )
  await api.call('POST', roleBindings, roleBinding(jane))
  const review = (attributes: object) =>
    api.call('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        user: 'jane',
        resourceAttributes: { namespace: 'default', verb: 'get', ...attributes },
      },
    })
  const allowed = await review({ resource: 'pods', subresource: 'log' })
  expect([allowed.status, allowed.body.status]).toEqual([
    201,
    {
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "reader/default" of Role "reader" to User "jane"',
    },
  ])
  expect((await review({ resource: 'pods' })).body.status).toEqual({ allowed: false })
})

test('a token review names the user of a token', async () => {
  const api = apiUnderTest()
  const review = (token: string) =>
    api.call('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token },
    })
  expect((await review(api.adminToken)).body.status).toMatchObject({
    authenticated: true,
    user: { username: 'kubernetes-admin' },
  })
  expect((await review('x')).body.status.authenticated).toBeUndefined()
})
