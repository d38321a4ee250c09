import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Metric } from '@serinus/api'
import { VirtualClock } from '@serinus/kube'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { createKept } from './kept.ts'
import { prometheus } from './prometheus.ts'
import type { MeasureInput } from './provider.ts'
import { signatureProblem, testKeys } from './test-aws.ts'
import { measureInput, testNow } from './test-input.ts'
import { type ServerAnswer, socketFetch, vendorServer } from './test-server.ts'

const one: ServerAnswer = {
  body: JSON.stringify({ status: 'success', data: { resultType: 'scalar', result: [1, '1'] } }),
}
const keep = ['host', 'content-length']
const own = { accessKeyId: testKeys.AWS_ACCESS_KEY_ID, secret: testKeys.AWS_SECRET_ACCESS_KEY }

type Config = NonNullable<Metric['provider']['prometheus']>

function measure(config: Config, facts: Partial<MeasureInput> = {}) {
  const metric = { provider: { prometheus: { query: 'a + b{c="*"}', ...config } } }
  return prometheus.run(measureInput(metric, { fetch: socketFetch, env: testKeys, ...facts }))
}

describe('a Prometheus with Amazon’s signature', () => {
  test('gets signed requests only, by POST and by GET, whatever its host is called [metric-providers 23]', async () => {
    await using server = await vendorServer([{ status: 405, body: '' }, one], keep)
    const measured = await measure({
      address: `${server.url}/workspaces/ws-1?tenant=a`,
      authentication: { sigv4: { region: 'eu-west-1' } },
    })
    expect(measured).toMatchObject({ value: '1' })
    expect(server.requests.map(({ line }) => line)).toEqual([
      'POST /workspaces/ws-1/api/v1/query?tenant=a',
      'GET /workspaces/ws-1/api/v1/query?query=a+%2B+b%7Bc%3D%22%2A%22%7D&time=1786963271.25',
    ])
    for (const request of server.requests) {
      expect(signatureProblem(request, { service: 'aps', region: 'eu-west-1', ...own })).toBeNull()
      expect(request.headers['x-amz-date']).toBe('20260817T104111Z')
    }
    expect(server.requests[0]?.headers['authorization']).toContain(
      'SignedHeaders=content-type;host;x-amz-date,',
    )
  })

  test('is signed for the region of the process where the metric names none', async () => {
    await using server = await vendorServer([one], keep)
    const sigv4 = { roleArn: '', profile: '', region: 'us-east-2' }
    await measure({ address: server.url, authentication: { sigv4 } })
    const env = { ...testKeys, AWS_REGION: 'ap-south-1' }
    await using sts = await vendorServer([assumed('2026-08-17T11:41:11Z')], keep)
    const withRole = { roleArn: 'arn:aws:iam::1:role/r' }
    await measure(
      { address: server.url, authentication: { sigv4: withRole } },
      { env: { ...env, AWS_ENDPOINT_URL_STS: sts.url } },
    )
    const regions = server.requests.map(({ headers }) => headers['authorization']?.split('/')[2])
    expect(regions).toEqual(['us-east-2', 'ap-south-1'])
  })

  test('assumes the role that the metric names, once until its credentials are about to expire', async () => {
    await using sts = await vendorServer([assumed('2026-08-17T11:41:11Z')], keep)
    await using server = await vendorServer([one], keep)
    const clock = new VirtualClock(testNow)
    const hidden: string[] = []
    const facts = {
      clock,
      kept: createKept(clock),
      env: { ...testKeys, AWS_ENDPOINT_URL_STS: sts.url },
      hide: (secret: string) => hidden.push(secret),
    }
    const authentication = { sigv4: { region: 'eu-west-1', roleArn: 'arn:aws:iam::1:role/reader' } }
    const config = { address: server.url, authentication }
    await measure(config, facts)
    await clock.advance(58 * 60_000)
    await measure(config, facts)
    expect(sts.requests.length).toBe(1)
    await clock.advance(60_000)
    await measure(config, facts)
    expect(sts.requests.length).toBe(2)

    const [request] = sts.requests
    expect(request?.line).toBe('POST /')
    const form = Object.fromEntries(new URLSearchParams(request?.body))
    expect(form).toMatchObject({ Action: 'AssumeRole', RoleArn: 'arn:aws:iam::1:role/reader' })
    const atSts = { service: 'sts', region: 'eu-west-1', ...own }
    expect(request && signatureProblem(request, atSts)).toBeNull()
    for (const measured of server.requests) {
      expect(measured.headers['x-amz-security-token']).toBe('assumed-token')
      const assumedKeys = { accessKeyId: 'ASIAROLE', secret: 'assumed-secret' }
      expect(
        signatureProblem(measured, { service: 'aps', region: 'eu-west-1', ...assumedKeys }),
      ).toBeNull()
    }
    expect(new Set(hidden)).toEqual(
      new Set([testKeys.AWS_SECRET_ACCESS_KEY, 'assumed-secret', 'assumed-token']),
    )
  })

  describe('with a profile of the configuration files', () => {
    let folder: string
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'aws-'))
      const keys = 'aws_access_key_id = AKIDPROFILE\naws_secret_access_key = profile-secret\n'
      writeFileSync(join(folder, 'credentials'), `[reader]\n${keys}`)
      writeFileSync(join(folder, 'config'), '[profile reader]\nregion = sa-east-1\n')
      // The SDK finds its files by the environment of the process, and by nothing else.
      vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'credentials'))
      vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'))
      vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
    })
    afterEach(() => {
      vi.unstubAllEnvs()
      rmSync(folder, { recursive: true })
    })

    test('is signed with its keys and for its region, whatever keys the environment has', async () => {
      await using server = await vendorServer([one], keep)
      const authentication = { sigv4: { profile: 'reader' } }
      await measure({ address: server.url, authentication })
      const [request] = server.requests
      const ofProfile = { accessKeyId: 'AKIDPROFILE', secret: 'profile-secret' }
      expect(
        request && signatureProblem(request, { service: 'aps', region: 'sa-east-1', ...ofProfile }),
      ).toBeNull()
    })

    test('that does not exist is not asked at all', async () => {
      await using server = await vendorServer([one])
      const asked = (sigv4: object) => measure({ address: server.url, authentication: { sigv4 } })
      await expect(asked({ profile: 'nobody', region: 'eu-west-1' })).rejects.toThrow(
        /^could not get SigV4 credentials: .+/,
      )
      await expect(asked({ profile: 'nobody' })).rejects.toThrow(
        new Error('region not configured in sigv4 or in default credentials chain'),
      )
      expect(server.requests).toEqual([])
    })
  })

  test('is signed with the role of the service account, as Kubernetes on Amazon hands it out', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'aws-'))
    onTestFinished(() => {
      vi.unstubAllEnvs()
      rmSync(folder, { recursive: true })
    })
    writeFileSync(join(folder, 'token'), 'token-of-the-account')
    await using sts = await vendorServer([assumed('2026-08-17T11:41:11Z', 'WithWebIdentity')])
    await using server = await vendorServer([one], keep)
    const env = {
      AWS_ROLE_ARN: 'arn:aws:iam::1:role/rollouts',
      AWS_WEB_IDENTITY_TOKEN_FILE: join(folder, 'token'),
      AWS_REGION: 'eu-west-1',
      AWS_ENDPOINT_URL_STS: sts.url,
    }
    // The SDK finds the role by the environment of the process, and by nothing else.
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
    vi.stubEnv('AWS_ACCESS_KEY_ID', undefined)
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'none'))
    vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'none'))
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
    const authentication = { sigv4: { region: 'eu-west-1' } }
    await measure({ address: server.url, authentication }, { env })
    expect(Object.fromEntries(new URLSearchParams(sts.requests[0]?.body))).toMatchObject({
      Action: 'AssumeRoleWithWebIdentity',
      RoleArn: 'arn:aws:iam::1:role/rollouts',
      WebIdentityToken: 'token-of-the-account',
    })
    const [request] = server.requests
    const assumedKeys = { accessKeyId: 'ASIAROLE', secret: 'assumed-secret' }
    expect(
      request && signatureProblem(request, { service: 'aps', region: 'eu-west-1', ...assumedKeys }),
    ).toBeNull()
  })

  test('is not asked at all where the role is refused', async () => {
    const refusal =
      '<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>'
    await using sts = await vendorServer([{ status: 403, body: refusal }])
    await using server = await vendorServer([one])
    const sigv4 = { region: 'eu-west-1', roleArn: 'arn:aws:iam::1:role/r' }
    const call = measure(
      { address: server.url, authentication: { sigv4 } },
      { env: { ...testKeys, AWS_ENDPOINT_URL_STS: sts.url } },
    )
    await expect(call).rejects.toThrow(/^could not get SigV4 credentials: not you$/)
    expect(server.requests).toEqual([])
  })

  test('leaves headers of the metric outside the signature, and one that names Authorization wins', async () => {
    await using server = await vendorServer([one], keep)
    const authentication = { sigv4: { region: 'eu-west-1' } }
    const tenant = { key: 'X-Scope-OrgID', value: 'a' }
    const bearer = { key: 'authorization', value: 'Bearer own' }
    await measure({ address: server.url, authentication, headers: [tenant] })
    await measure({ address: server.url, authentication, headers: [bearer] })
    const [first, second] = server.requests
    const aps = { service: 'aps', region: 'eu-west-1', ...own }
    expect(first && signatureProblem(first, aps)).toBeNull()
    expect(first?.headers['x-scope-orgid']).toBe('a')
    expect(second?.headers['authorization']).toBe('Bearer own')
  })
})

function assumed(expiration: string, how = ''): ServerAnswer {
  return {
    headers: { 'content-type': 'text/xml' },
    body: `<AssumeRole${how}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRole${how}Result><Credentials>
<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>assumed-secret</SecretAccessKey>
<SessionToken>assumed-token</SessionToken><Expiration>${expiration}</Expiration>
</Credentials></AssumeRole${how}Result></AssumeRole${how}Response>`,
  }
}
