import type { Keep } from './inbox.ts'

type Fields = Readonly<Record<string, unknown>>

const actions = ['trigger', 'acknowledge', 'resolve']
const severities = ['critical', 'warning', 'error', 'info']

/** Events API v2 and the incidents of the REST API, as far as a notifier uses them (developer.pagerduty.com). */
export class PagerDuty {
  readonly #keep: Keep
  #count = 0

  constructor(keep: Keep) {
    this.#keep = keep
  }

  async answer(request: Request, url: URL): Promise<Response> {
    const isPost = request.method === 'POST'
    const body = isPost ? await fieldsOf(request) : null
    if (url.hostname === 'events.pagerduty.com') {
      if (!isPost || url.pathname !== '/v2/enqueue') return notFound()
      return body ? this.#event(body) : invalidEvent(['Event object is not valid JSON'])
    }
    if (!isPost || url.pathname !== '/incidents') return notFound()
    return this.#incident(request.headers, body ?? {})
  }

  #event(body: Fields): Response {
    const payload = fields(body['payload'])
    const action = String(body['event_action'] ?? '')
    const errors = eventErrors(body, payload, action)
    if (errors.length > 0) return invalidEvent(errors)
    this.#count++
    const given = text(body['dedup_key'])
    const dedupKey = given || this.#count.toString(16).padStart(32, '0')
    this.#keep({
      service: 'pagerduty',
      to: text(body['routing_key']),
      text: action === 'trigger' ? text(payload['summary']) : `${action} ${dedupKey}`,
      body,
    })
    return Response.json(
      { status: 'success', message: 'Event processed', dedup_key: dedupKey },
      { status: 202 },
    )
  }

  #incident(headers: Headers, body: Fields): Response {
    if (!/^Token token=\S+$/.test(headers.get('authorization') ?? ''))
      return failure(401, { message: 'Unauthorized', code: 2006 })
    const incident = fields(body['incident'])
    const service = text(fields(incident['service'])['id'])
    const errors = [
      ...(headers.get('from') ? [] : ['Requester User Not Found']),
      ...(text(incident['title']) ? [] : ['Title cannot be empty.']),
      ...(service ? [] : ['Service cannot be empty.']),
    ]
    if (errors.length > 0)
      return failure(400, { message: 'Invalid Input Provided', code: 2001, errors })
    this.#count++
    const id = `Q${this.#count.toString(36).toUpperCase().padStart(13, '0')}`
    this.#keep({ service: 'pagerduty', to: service, text: text(incident['title']), body })
    const made = { ...incident, id, incident_number: this.#count, status: 'triggered' }
    return Response.json({ incident: made }, { status: 201 })
  }
}

function eventErrors(body: Fields, payload: Fields, action: string): readonly string[] {
  const errors: string[] = []
  const blank = (name: string, value: unknown) => {
    if (!text(value)) errors.push(`'${name}' is missing or blank`)
  }
  blank('routing_key', body['routing_key'])
  blank('event_action', action)
  if (action && !actions.includes(action))
    errors.push(`'event_action' is invalid (must be one of the following: ${quoted(actions)})`)
  if (text(body['dedup_key']).length > 255)
    errors.push("Length of 'dedup_key' is incorrect (should be at most 255 characters)")
  if (action === 'acknowledge' || action === 'resolve') blank('dedup_key', body['dedup_key'])
  if (action !== 'trigger') return errors
  for (const name of ['summary', 'source', 'severity']) blank(`payload.${name}`, payload[name])
  const severity = text(payload['severity'])
  if (severity && !severities.includes(severity)) {
    errors.push(
      `'payload.severity' is invalid (must be one of the following: ${quoted(severities)})`,
    )
  }
  return errors
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(', ')
}

function invalidEvent(errors: readonly string[]): Response {
  const body = { status: 'invalid event', message: 'Event object is invalid', errors }
  return Response.json(body, { status: 400 })
}

function failure(status: number, error: Fields): Response {
  return Response.json({ error }, { status })
}

function notFound(): Response {
  return failure(404, { message: 'Not Found', code: 2100 })
}

async function fieldsOf(request: Request): Promise<Fields | null> {
  try {
    const value: unknown = JSON.parse(await request.text())
    return typeof value === 'object' && value !== null ? (value as Fields) : null
  } catch {
    return null
  }
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

function text(value: unknown): string {
  return typeof value === 'string' ? value.trim() : ''
}
