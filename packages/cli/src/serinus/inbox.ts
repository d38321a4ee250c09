import type { Received } from '@serinus/cluster'
import { alignColumns } from '../view/table.ts'
import type { Process } from './up.ts'

/** Lists what the inbox of a running `serinus up` or `serinus demo` received. */
export async function showInbox(
  options: { readonly url?: string; readonly output?: string },
  { out }: Process,
): Promise<void> {
  if (!options.url) throw new Error('--url is missing: serinus up prints the address of its inbox')
  const response = await fetch(options.url)
  const received = (await response.json()) as readonly Received[]
  if (options.output === 'json') {
    out(`${JSON.stringify(received, null, 2)}\n`)
    return
  }
  const rows = received.map((one) => [
    new Date(one.at).toISOString(),
    one.service,
    one.to,
    one.text.trim().split('\n')[0] ?? '',
  ])
  out(`${alignColumns([['TIME', 'SERVICE', 'TO', 'TEXT'], ...rows]).join('\n')}\n`)
}
