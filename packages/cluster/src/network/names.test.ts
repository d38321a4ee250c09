import { expect, test } from 'vitest'
import { serviceName } from './names.ts'

test.each([
  ['prometheus', { name: 'prometheus', namespace: 'home' }],
  ['prometheus.monitoring', { name: 'prometheus', namespace: 'monitoring' }],
  ['prometheus-server.monitoring.svc', { name: 'prometheus-server', namespace: 'monitoring' }],
  [
    'prometheus-server.monitoring.svc.cluster.local',
    { name: 'prometheus-server', namespace: 'monitoring' },
  ],
  ['api.example.com', null],
  ['127.0.0.1', null],
  ['localhost', null],
])('%s resolves as it does in a cluster', (host, expected) => {
  expect(serviceName(host, 'home')).toEqual(expected)
})
