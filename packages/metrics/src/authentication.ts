import type { MetricProvider } from '@serinus/api'
import type { TlsMaterial } from '@serinus/kube'
import { basicAuthorization, type HeaderFields, hideCredentials } from './http.ts'
import type { MeasureInput } from './provider.ts'
import { readKeyOfRun } from './read-of-run.ts'
import { tlsMaterial } from './tls.ts'

type Config = Pick<NonNullable<MetricProvider['prometheus']>, 'authentication' | 'headers'>
type Authentication = NonNullable<Config['authentication']>
type FromSecret = NonNullable<NonNullable<Authentication['basicAuth']>['passwordFrom']>

/** What a metric brings to its source, once its Secrets are read. */
export interface Credentials {
  /** `Authorization` of a user; null without one. */
  readonly basic: string | null
  readonly oauth2: Omit<NonNullable<Authentication['oauth2']>, 'clientSecretFrom'> | undefined
  readonly headers: HeaderFields
  readonly tls: TlsMaterial | undefined
}

/**
 * Fills in what the authentication and the headers of a metric take from Secrets of the run's namespace, and hides it.
 * Rejects with the field, the Secret and the namespace where something is missing.
 *
 * @param provider key of the provider in the metric
 */
export async function credentialsFor(
  input: MeasureInput,
  provider: 'prometheus' | 'web',
  { authentication = {}, headers = [] }: Config,
): Promise<Credentials> {
  const { basicAuth, oauth2, tls } = authentication
  const path = `provider.${provider}.authentication`
  const read = (field: string, value: string | undefined, from: FromSecret | undefined) =>
    from ? secretValue(input, field, from) : value
  const [username, password, clientSecret, material, values] = await Promise.all([
    read(`${path}.basicAuth.usernameFrom`, basicAuth?.username, basicAuth?.usernameFrom),
    read(`${path}.basicAuth.passwordFrom`, basicAuth?.password, basicAuth?.passwordFrom),
    read(`${path}.oauth2.clientSecretFrom`, oauth2?.clientSecret, oauth2?.clientSecretFrom),
    tlsMaterial(input, `${path}.tls`, tls),
    Promise.all(
      headers.map(async ({ value, valueFrom }, index) => {
        const path = `provider.${provider}.headers[${index}].valueFrom`
        const text = await read(path, value, valueFrom)
        if (valueFrom && text !== undefined) hideCredentials(input, text)
        return text ?? ''
      }),
    ),
  ])
  const basic = basicAuthorization({
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  })
  if (basic !== null) hideCredentials(input, basic)
  return {
    basic,
    oauth2: oauth2 && { ...oauth2, ...(clientSecret === undefined ? {} : { clientSecret }) },
    headers: headers.map(({ key }, index) => [key, values[index] ?? ''] as const),
    tls: material,
  }
}

async function secretValue(
  input: MeasureInput,
  path: string,
  { secretKeyRef: { name, key } }: FromSecret,
): Promise<string> {
  // A line end after a value (`echo key | base64`) belongs to no key.
  const value = (await readKeyOfRun(input, 'secret', { path, name, key })).trim()
  input.hide(value)
  return value
}
