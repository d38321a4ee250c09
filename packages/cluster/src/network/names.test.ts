import { expect, test } from 'vitest'
import { serviceName } from './names.ts'

test.each([
  ['prometheus', 'prometheus', 'home'],
  ['prometheus.monitoring', 'prometheus', 'monitoring'],
  ['prometheus-server.monitoring.svc', 'prometheus-server', 'monitoring'],
  ['prometheus-server.monitoring.svc.cluster.local', 'prometheus-server', 'monitoring'],
  ['prometheus-server.monitoring.svc.cluster.local.', 'prometheus-server', 'monitoring'],
])('%s resolves as it does in a cluster', (host, name, namespace) => {
  expect(serviceName(host, 'home')).toMatchObject({ name, namespace })
})

test.each(['api.example.com', '127.0.0.1', 'localhost', '[::1]', 'a.b.svc.example.com', 'a_b'])(
  '%s means the outside world',
  (host) => {
    expect(serviceName(host, 'home')).toBeNull()
  },
)

test.each([
  ['slack.com', true],
  ['prometheus', false],
  ['api.team.svc', false],
])('whether %s may be a public name as well: %s', (host, mayBeOutside) => {
  expect(serviceName(host, 'home')?.mayBeOutside).toBe(mayBeOutside)
})
