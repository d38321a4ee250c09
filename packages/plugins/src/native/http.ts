import { withoutQuery } from '../declarations.ts'
import { causeOf, type PluginProcess, type PluginStart } from '../plugin-process.ts'
import { answerProblem, resultOf } from './json-rpc.ts'
import { initialized } from './native-process.ts'

/** Longest answer that is read, bytes. */
const longestAnswer = 10 * 2 ** 20

/** Protocol `http`: a plugin that runs elsewhere; each question is one JSON-RPC object by POST. */
export function startHttpPlugin(start: PluginStart): Promise<PluginProcess> {
  const over = new AbortController()
  const ended = new Promise<Error>((resolve) => {
    over.signal.addEventListener('abort', () => resolve(over.signal.reason), { once: true })
  })
  const end = () => over.abort(new Error('the plugin is not asked any more'))
  let lastId = 0
  return initialized(start, {
    ask(method, params, signal) {
      const message = { jsonrpc: '2.0', id: ++lastId, method, params }
      return post(start, message, AbortSignal.any([signal, over.signal]))
    },
    close: end,
    kill: end,
    ended,
  })
}

async function post(
  start: PluginStart,
  message: { readonly id: number },
  signal: AbortSignal,
): Promise<unknown> {
  const { target, headers } = start
  const shown = `Post ${JSON.stringify(withoutQuery(target))}`
  const request = new Request(target, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
    body: JSON.stringify(message),
    redirect: 'error',
    signal,
  })
  const response = await start.fetch(request).catch((error: unknown) => {
    signal.throwIfAborted()
    throw new Error(`${shown}: ${causeOf(error)}`, { cause: error })
  })
  const text = await boundedText(response)
  if (!response.ok) throw new Error(`${shown}: response code ${response.status}: ${text}`)
  const answer = parsed(text, shown)
  const problem = answerProblem(answer, message.id)
  if (problem !== null) throw new Error(`${shown}: ${problem}: ${text}`)
  return resultOf(answer)
}

async function boundedText(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let length = 0
  // Cancels the body when it is left early.
  for await (const part of response.body ?? []) {
    length += part.length
    if (length > longestAnswer) throw new Error(`the answer is longer than ${longestAnswer} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function parsed(text: string, shown: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Error(`${shown}: the answer is no JSON: ${JSON.stringify(text)}`, { cause })
  }
}
