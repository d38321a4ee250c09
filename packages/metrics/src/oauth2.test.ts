import { VirtualClock } from '@serinus/kube'
import { describe, expect, test } from 'vitest'
import { createKept } from './kept.ts'
import { json, measureInput, testNow, type VendorAnswer, vendor } from './test-input.ts'
import { web } from './web.ts'

const oauth2 = { tokenUrl: 'https://id/token', clientId: 'id', clientSecret: 'hush' }

/** A controller that measures again and again, and who is asked by it. */
function controller(...answers: readonly VendorAnswer[]) {
  const clock = new VirtualClock(testNow)
  const kept = createKept(clock)
  const played = vendor(...answers)
  const hidden: string[] = []
  return {
    clock,
    hidden,
    measure: (authentication: object = oauth2) =>
      web.run(
        measureInput(
          {
            provider: {
              web: { url: 'http://checks/m', authentication: { oauth2: authentication } },
            },
          },
          { clock, kept, fetch: played.fetch, hide: (secret) => hidden.push(secret) },
        ),
      ),
    asked: () =>
      played.requests.map(({ url, headers }) =>
        url === oauth2.tokenUrl ? 'token' : headers['authorization'],
      ),
  }
}

const token = (name: string, more: object = {}) => json({ access_token: name, ...more })

describe('a token by client credentials', () => {
  test('serves all measurements until it is about to expire', async () => {
    const { clock, measure, asked } = controller(
      token('t1', { expires_in: 300 }),
      json(1),
      json(1),
      token('t2', { expires_in: '300' }),
      json(1),
    )
    await measure()
    await clock.advance(289_000)
    await measure()
    await clock.advance(1_000)
    await measure()
    expect(asked()).toEqual(['token', 'Bearer t1', 'Bearer t1', 'token', 'Bearer t2'])
  })

  test('that names no end serves one measurement', async () => {
    const { measure, asked } = controller(token('t1'), json(1), token('t2'), json(1))
    await measure()
    await measure()
    expect(asked()).toEqual(['token', 'Bearer t1', 'token', 'Bearer t2'])
  })

  test('is shared only where everything is the same', async () => {
    const { measure, asked } = controller(
      token('t1', { expires_in: 300 }),
      json(1),
      token('t2', { expires_in: 300 }),
      json(1),
      json(1),
    )
    await measure()
    await measure({ ...oauth2, scopes: ['read'] })
    await measure()
    expect(asked()).toEqual(['token', 'Bearer t1', 'token', 'Bearer t2', 'Bearer t1'])
  })

  test('that was withdrawn before its end is replaced, and the question asked again', async () => {
    const refusal = json({}, { status: 401 })
    const { measure, asked } = controller(
      token('t1', { expires_in: 300 }),
      json(1),
      refusal,
      token('t2', { expires_in: 300 }),
      json(1),
    )
    await measure()
    expect(await measure()).toMatchObject({ phase: 'Successful', value: '1' })
    expect(asked()).toEqual(['token', 'Bearer t1', 'Bearer t1', 'token', 'Bearer t2'])
  })

  test('that is new and not taken is an error at once', async () => {
    const { measure, asked } = controller(
      token('t1', { expires_in: 300 }),
      () => new Response('', { status: 401 }),
    )
    await expect(measure()).rejects.toThrow(/^received non 2xx response code: 401$/)
    expect(asked()).toEqual(['token', 'Bearer t1'])
  })

  test('is masked in whatever is stored, kept or new', async () => {
    const { measure, hidden } = controller(token('t1', { expires_in: 300 }), json('t1'))
    await measure()
    await measure()
    // The client itself, in base64, and the token twice.
    expect(hidden).toEqual([btoa('id:hush'), 't1', 't1'])
  })
})
