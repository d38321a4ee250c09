import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch'
import { RealClock } from '@serinus/kube'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cloudWatch } from './cloud-watch.ts'
import { prometheus } from './prometheus.ts'
import { testKeys } from './test-aws.ts'
import { measureInput } from './test-input.ts'
import { socketFetch, vendorServer } from './test-server.ts'

const isInstalled = spawnSync('moto_server', ['--help'], { stdio: 'ignore' }).status === 0

/** moto plays AWS on loopback. */
async function startMoto() {
  const child = spawn('moto_server', ['-H', '127.0.0.1', '-p', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let url = ''
  const told: string[] = []
  for await (const line of createInterface({ input: child.stderr })) {
    told.push(line)
    url = /Running on (http:\S+)/.exec(line)?.[1] ?? ''
    if (url) break
  }
  if (!url) throw new Error(`moto did not start:\n${told.join('\n')}`)
  child.stderr.resume()
  const ended = new Promise((resolve) => child.once('exit', resolve))
  return {
    url,
    async close() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

describe.skipIf(!isInstalled)('an AWS of its own (needs moto_server on the PATH)', () => {
  let moto: Awaited<ReturnType<typeof startMoto>>
  beforeAll(async () => {
    moto = await startMoto()
  }, 30_000)
  afterAll(() => moto?.close())

  // moto keeps what lies within the last two weeks: its time is the real one.
  const clock = new RealClock()
  const region = 'eu-west-1'
  const env = () => ({ ...testKeys, AWS_REGION: region, AWS_ENDPOINT_URL: moto.url })

  test('CloudWatch is asked for what it was told, newest first', async () => {
    const client = new CloudWatchClient({
      region,
      endpoint: moto.url,
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    })
    const now = clock.now()
    for (const [index, Value] of [0.1, 0.2, 0.3].entries()) {
      const Timestamp = new Date(now - (4 - index) * 60_000)
      const MetricData = [{ MetricName: 'rate', Timestamp, Value }]
      await client.send(new PutMetricDataCommand({ Namespace: 'app', MetricData }))
    }
    const metric = { namespace: 'app', metricName: 'rate' }
    const metricDataQueries = [{ id: 'rate', metricStat: { metric, period: '60', stat: 'Sum' } }]
    const measured = await cloudWatch.run(
      measureInput(
        {
          successCondition: 'len(result[0].Values) == 3 && all(result[0].Values, {# < 0.5})',
          provider: { cloudWatch: { interval: '30m', metricDataQueries } },
        },
        { clock, env: env(), fetch: socketFetch },
      ),
    )
    expect(measured).toEqual({ kind: 'done', phase: 'Successful', value: '[[0.3 0.2 0.1]]' })
  })

  test('a role is assumed, and its keys sign what Prometheus is asked', async () => {
    const body = JSON.stringify({
      status: 'success',
      data: { resultType: 'scalar', result: [1, '1'] },
    })
    await using server = await vendorServer([{ body }])
    const sigv4 = { roleArn: 'arn:aws:iam::123456789012:role/reader' }
    const config = { address: server.url, query: 'up', authentication: { sigv4 } }
    await prometheus.run(
      measureInput({ provider: { prometheus: config } }, { clock, env: env(), fetch: socketFetch }),
    )
    expect(server.requests[0]?.headers).toMatchObject({
      authorization: expect.stringMatching(/Credential=ASIA\w+\/\d+\/eu-west-1\/aps\//),
      'x-amz-security-token': expect.stringMatching(/./),
    })
  })
})
