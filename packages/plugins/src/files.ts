import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, existsSync, readdirSync, rmSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises'
import { STATUS_CODES } from 'node:http'
import { dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Declaration, Location } from './declarations.ts'
import { causeOf, type PluginKind } from './plugin-process.ts'
import { moduleEnding } from './protocols.ts'

/** How the file of a plugin is got. */
export interface FileOptions {
  /** `plugin-bin` is made in it. */
  readonly folder: string
  readonly fetch: (request: Request) => Promise<Response>
  /** Sent with a download. */
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  /** It was fetched for this declaration before: what is there is taken, since its host may be away by now. */
  readonly isFetched: boolean
}

/** Kinds do not share a folder: two plugins of one name would overwrite each other, as they do upstream. */
const folders: Readonly<Record<PluginKind, string>> = {
  metric: 'metric-providers',
  router: 'traffic-routers',
  step: 'steps',
}

/** Most that is downloaded, bytes. */
const largestFile = 512 * 2 ** 20

/** As many as Go follows. */
const mostRedirects = 10

/** No plugin has an `@` in its name. */
const unfinishedPrefix = '@new-'

/**
 * Puts the file of a plugin where it is run from and returns its path. What is not what the checksum promises never gets
 * there; a running plugin is not disturbed, since the new file takes the place of the old one whole. A file that is
 * there already and has the promised checksum is taken as it is.
 */
export async function obtainFile(declaration: Declaration, options: FileOptions): Promise<string> {
  const { kind, sha256 } = declaration
  const location = declaration.location as Location & { kind: 'file' | 'download' }

  const target = join(resolve(options.folder), 'plugin-bin', folders[kind], fileName(declaration))
  if (sha256 && (await checksumOf(target)) === sha256) return target
  if (!sha256 && location.kind === 'download' && options.isFetched && existsSync(target))
    return target
  await mkdir(dirname(target), { recursive: true, mode: 0o700 })
  // Beside its place, so that the last move is one step.
  const unfinished = await mkdtemp(join(dirname(target), unfinishedPrefix))
  try {
    const file = join(unfinished, 'plugin')
    const found = await copyTo(file, location, options)
    if (sha256 && found !== sha256)
      throw new Error(
        `sha256 hash of downloaded plugin (${location.text}) does not match expected hash`,
      )
    await chmod(file, 0o700)
    await rename(file, target)
    return target
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
}

/** Removes what was left behind by downloads that ended with their process. */
export function sweepUnfinished(folder: string): void {
  const entries = (path: string) => (existsSync(path) ? readdirSync(path) : [])
  try {
    for (const kind of Object.values(folders)) {
      const kindFolder = join(resolve(folder), 'plugin-bin', kind)
      for (const namespace of entries(kindFolder)) {
        for (const entry of entries(join(kindFolder, namespace)))
          if (entry.startsWith(unfinishedPrefix))
            rmSync(join(kindFolder, namespace, entry), { recursive: true })
      }
    }
  } catch {
    // Who may not write there is told so with the first file.
  }
}

/** Below the folder of its kind. Module `x` and program `x.mjs` must not be the same file. */
function fileName({ name, location }: Declaration): string {
  // Node.js takes a module for what its ending says.
  const ending = location.kind === 'file' ? moduleEnding(location.path) : endingOf(location.url)
  if (ending !== '') return `${name}${ending}`
  return moduleEnding(name) === '' ? name : `${name}@`
}

function endingOf(url: string): string {
  return moduleEnding(new URL(url).pathname)
}

/** Copies the source and returns its checksum. */
async function copyTo(
  file: string,
  location: Location & { kind: 'file' | 'download' },
  options: FileOptions,
): Promise<string> {
  const source =
    location.kind === 'file' ? await opened(location) : await download(location, options)
  const hash = createHash('sha256')
  let length = 0
  const copying = pipeline(
    source,
    async function* (parts: AsyncIterable<Uint8Array>) {
      for await (const part of parts) {
        length += part.length
        if (length > largestFile) throw new Error(`it is larger than ${largestFile} bytes`)
        hash.update(part)
        yield part
      }
    },
    createWriteStream(file, { mode: 0o600, flags: 'wx' }),
    { signal: options.signal },
  )
  await copying.catch((cause: unknown) => {
    options.signal.throwIfAborted()
    throw new Error(`failed to copy ${location.text}: ${causeOf(cause)}`, { cause })
  })
  return hash.digest('hex')
}

async function opened({ path, text }: Location & { kind: 'file' }): Promise<Readable> {
  const facts = await stat(path).catch((cause: unknown) => {
    throw new Error(`failed to find filebased plugin at location: ${text}`, { cause })
  })
  if (!facts.isFile()) throw new Error(`${path} is not a regular file`)
  return createReadStream(path)
}

async function download(
  { url, text }: Location & { kind: 'download' },
  { fetch, headers, signal }: FileOptions,
): Promise<Readable> {
  const failed = (why: string, cause?: unknown) =>
    new Error(`failed to download file from ${text}: ${why}`, { cause })
  let address = new URL(url)
  let sent = headers
  for (let count = 0; count <= mostRedirects; count++) {
    const request = new Request(address, { headers: sent, signal, redirect: 'manual' })
    const response = await fetch(request).catch((cause: unknown) => {
      signal.throwIfAborted()
      throw failed(causeOf(cause), cause)
    })
    if (response.ok && response.body) return Readable.fromWeb(response.body as WebStream)
    await response.body?.cancel()
    const next = response.headers.get('location')
    if (response.status < 300 || response.status > 399 || !next)
      throw failed(
        `response code ${response.status} ${STATUS_CODES[response.status] ?? ''}`.trimEnd(),
      )
    const to = URL.canParse(next, address) ? new URL(next, address) : null
    if (!to || !/^https?:$/.test(to.protocol) || to.username !== '' || to.password !== '')
      throw failed('it was sent on to an address that cannot be asked')
    // A store to which a host sends us on must not learn the secrets of that host.
    if (to.origin !== address.origin) sent = {}
    address = to
  }
  throw failed(`it was sent on more than ${mostRedirects} times`)
}

type WebStream = Parameters<typeof Readable.fromWeb>[0]

/** Undefined where there is no file. */
async function checksumOf(file: string): Promise<string | undefined> {
  const hash = createHash('sha256')
  try {
    for await (const part of createReadStream(file)) hash.update(part as Uint8Array)
    return hash.digest('hex')
  } catch {
    return undefined // it is not there yet, or cannot be read: it is got anew
  }
}
