import { writeFileSync } from 'node:fs'
import { RealClock, SeededRandom } from '@serinus/kube'
import { listen } from '/work/main/packages/cluster/src/apiserver/listen.ts'
import { ApiServer } from '/work/main/packages/cluster/src/apiserver/server.ts'
import { SqliteJournal } from '/work/main/packages/cluster/src/apiserver/sqlite-journal.ts'

const journal = process.argv[2] ? new SqliteJournal(process.argv[2]) : undefined
const t = performance.now()
const server = new ApiServer({
  clock: new RealClock(),
  random: new SeededRandom(String(Date.now())),
  ...(journal && { journal }),
})
const l = await listen(server, { host: '127.0.0.1', port: Number(process.argv[3] ?? 0), tls: true })
writeFileSync('/tmp/kc.yaml', l.kubeconfig)
console.log(l.url, performance.now() - t)

import { connect } from 'node:net'

server.setPortForward(async ({ port }) => {
  const s = connect(port, '127.0.0.1')
  await new Promise((r, j) => {
    s.once('connect', r)
    s.once('error', j)
  })
  return s
})
server.setSubresourceHandler(
  'pods/log',
  async (call) => new Response(`log of ${call.name} ${call.query}\n`),
)
