import type { ParsedConfig, ServiceEntry } from './config.ts'
import type { Finding } from './finding.ts'

/**
 * Services of a namespace's own configuration may not make the controller call itself or its node: loopback and
 * link-local addresses are refused (spec notifications 11.2).
 */
export function guardEgress({ config, findings }: ParsedConfig): ParsedConfig {
  const services = new Map<string, ServiceEntry>()
  const refused: Finding[] = []
  for (const [name, entry] of config.services) {
    const url = entry.kind === 'ready' ? entry.service.urls.find(isRefused) : undefined
    if (url === undefined) {
      services.set(name, entry)
      continue
    }
    const { hostname } = new URL(url)
    const message = `${hostname} may not be called from a namespace's own configuration`
    services.set(name, { kind: 'broken', name, reason: message })
    refused.push({
      code: 'EgressDenied',
      severity: 'error',
      path: `data["service.${name}"]`,
      value: hostname,
      message,
    })
  }
  return { config: { ...config, services }, findings: [...findings, ...refused] }
}

function isRefused(url: string): boolean {
  if (!URL.canParse(url)) return true
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    /^(127|0)\./.test(host) ||
    host.startsWith('169.254.') ||
    host === '::1' ||
    host === '::' ||
    /^fe[89ab]/i.test(host) ||
    /^::ffff:/i.test(host)
  )
}
