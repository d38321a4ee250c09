type Fields = Readonly<Record<string, unknown>>

/** What Slack says about a block that it refuses, with the place in the message. */
export type BlockProblem = `${string} [json-pointer:${string}]`

const mostBlocks = 50
const texts: Readonly<
  Record<string, { readonly most: number; readonly types: readonly string[] }>
> = {
  section: { most: 3000, types: ['plain_text', 'mrkdwn'] },
  header: { most: 150, types: ['plain_text'] },
}
const lists: Readonly<Record<string, { readonly field: string; readonly most: number }>> = {
  actions: { field: 'elements', most: 25 },
  context: { field: 'elements', most: 10 },
  rich_text: { field: 'elements', most: Number.POSITIVE_INFINITY },
}
/** Blocks of which only these fields are looked at. */
const required: Readonly<Record<string, readonly string[]>> = {
  divider: [],
  image: ['alt_text'],
  input: ['label', 'element'],
  file: ['external_id', 'source'],
  video: ['alt_text', 'title', 'thumbnail_url', 'video_url'],
  markdown: ['text'],
  table: ['rows'],
  call: ['call_id'],
}

/** The mistakes for which Slack answers `invalid_blocks` (docs.slack.dev: reference of Block Kit). */
export function blockProblems(blocks: readonly unknown[]): readonly BlockProblem[] {
  if (blocks.length > mostBlocks) return [`no more than 50 items allowed [json-pointer:/blocks]`]
  return blocks.flatMap((block, index) => problemsOf(block, `/blocks/${index}`))
}

function problemsOf(block: unknown, at: string): readonly BlockProblem[] {
  if (!isFields(block)) return [`must be a block [json-pointer:${at}]`]
  const type = String(block['type'] ?? '')
  const problems = [...idProblems(block, at)]
  const list = lists[type]
  if (type in texts) problems.push(...textProblems(type, block, at))
  else if (list) problems.push(...listProblems(list, block, at))
  else if (type in required) {
    const missing = (required[type] ?? []).filter((field) => !block[field])
    problems.push(...missing.map((field) => missingField(field, at)))
  } else problems.push(`unsupported type: ${type} [json-pointer:${at}/type]`)
  return problems
}

function idProblems(block: Fields, at: string): readonly BlockProblem[] {
  const id = block['block_id']
  return typeof id === 'string' && id.length > 255
    ? [`must be less than 256 characters [json-pointer:${at}/block_id]`]
    : []
}

function textProblems(type: string, block: Fields, at: string): readonly BlockProblem[] {
  const rule = texts[type]
  const problems: BlockProblem[] = []
  const fields = block['fields']
  if (block['text'] !== undefined && rule)
    problems.push(...textObjectProblems(block['text'], `${at}/text`, rule))
  else if (type !== 'section' || fields === undefined) problems.push(missingField('text', at))
  if (type !== 'section' || fields === undefined) return problems
  if (!Array.isArray(fields) || fields.length === 0 || fields.length > 10)
    return [...problems, `must have 1 to 10 items [json-pointer:${at}/fields]`]
  const rules = { most: 2000, types: ['plain_text', 'mrkdwn'] }
  return [
    ...problems,
    ...fields.flatMap((field, index) => textObjectProblems(field, `${at}/fields/${index}`, rules)),
  ]
}

function textObjectProblems(
  text: unknown,
  at: string,
  rule: { readonly most: number; readonly types: readonly string[] },
): readonly BlockProblem[] {
  if (!isFields(text)) return [`must be a text object [json-pointer:${at}]`]
  if (!rule.types.includes(String(text['type'])))
    return [`must be one of ${rule.types.join(', ')} [json-pointer:${at}/type]`]
  const content = text['text']
  if (typeof content !== 'string' || content.length === 0)
    return [`must be more than 0 characters [json-pointer:${at}/text]`]
  return content.length > rule.most
    ? [`must be less than ${rule.most + 1} characters [json-pointer:${at}/text]`]
    : []
}

function listProblems(
  { field, most }: { readonly field: string; readonly most: number },
  block: Fields,
  at: string,
): readonly BlockProblem[] {
  const items = block[field]
  if (items === undefined) return [missingField(field, at)]
  if (!Array.isArray(items) || items.length === 0)
    return [`must have at least 1 item [json-pointer:${at}/${field}]`]
  return items.length > most
    ? [`no more than ${most} items allowed [json-pointer:${at}/${field}]`]
    : []
}

function missingField(field: string, at: string): BlockProblem {
  return `missing required field: ${field} [json-pointer:${at}]`
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
