import {
  any,
  boolean,
  int64,
  list,
  map,
  object,
  oneOf,
  openInCrd,
  optional,
  required,
  string,
  stringWithDefault,
  word,
} from './typed-schema.ts'

const keyOfSecret = object({
  name: required(string, 'Name of the Secret.'),
  key: required(string, 'Key within the Secret.'),
})

const fromSecret = object({
  secretKeyRef: required(keyOfSecret, 'A Secret of the namespace of the run.'),
})

const tls = optional(
  object({
    secretName: optional(string, 'Secret with ca.crt, or tls.crt and tls.key, or all of them.'),
    caFrom: optional(
      object({
        configMapKeyRef: optional(
          object({
            name: required(string, 'Name of the ConfigMap.'),
            key: required(string, 'Key within the ConfigMap.'),
          }),
          'Either this or secretKeyRef.',
        ),
        secretKeyRef: optional(keyOfSecret, 'Either this or configMapKeyRef.'),
      }),
      'Certificates of authorities to trust; goes before ca.crt.',
    ),
    serverName: optional(string, 'Name in the certificate of the server.'),
  }),
  'Own authorities and client certificate, from the namespace of the run.',
)

const tlsOnly = object({ tls })

const authentication = object({
  sigv4: optional(
    object({
      region: optional(string, 'AWS region to sign for.'),
      profile: optional(string, 'Profile of the AWS configuration.'),
      roleArn: optional(string, 'Role to assume.'),
    }),
    'Signs requests for AWS (Signature Version 4).',
  ),
  oauth2: optional(
    object({
      tokenUrl: optional(string, 'Where tokens are obtained.'),
      clientId: optional(string, 'Client of the OAuth2 client credentials flow.'),
      clientSecret: optional(string, 'Its secret.'),
      clientSecretFrom: optional(fromSecret, 'In place of clientSecret.'),
      scopes: optional(list(string), 'Scopes to ask for.'),
    }),
    'Obtains a token by OAuth2 client credentials.',
  ),
  basicAuth: optional(
    object({
      username: optional(string, 'User name.'),
      password: optional(string, 'Password.'),
      usernameFrom: optional(fromSecret, 'In place of username.'),
      passwordFrom: optional(fromSecret, 'In place of password.'),
    }),
    'HTTP basic authentication.',
  ),
  tls,
})

const headers = list(
  object({
    key: required(string, 'Name of the header.'),
    value: optional(string, 'Its value. Either this or valueFrom.'),
    valueFrom: optional(fromSecret, 'In place of value.'),
  }),
)

export const addressAndQuery = {
  address: optional(string, 'Address of the server.'),
  query: optional(string, 'Query to send.'),
}

export const rangeQuery = object({
  start: optional(string, 'Expression for the first instant.'),
  end: optional(string, 'Expression for the last instant.'),
  step: optional(string, 'Duration between points.'),
})

const prometheusFields = {
  ...addressAndQuery,
  authentication: optional(authentication, 'How to authenticate.'),
  timeout: optional(int64, 'Seconds after which the query is given up.'),
  insecure: optional(boolean, 'Skips the check of the TLS certificate.'),
  headers: optional(headers, 'Headers to send.'),
  rangeQuery: optional(rangeQuery, 'Asks for a range instead of an instant.'),
}

export const prometheus = optional(object(prometheusFields), 'Queries Prometheus.')

const webFields = {
  method: optional(word('GET', 'POST', 'PUT'), 'GET (default), POST or PUT.'),
  url: required(string, 'Address to call.'),
  headers: optional(headers, 'Headers to send.'),
  body: optional(string, 'Body to send as it is.'),
  timeoutSeconds: optional(int64, 'Seconds after which the call is given up; 10 by default.'),
  jsonPath: optional(string, 'JSONPath of the value in the answer; {$} by default.'),
  insecure: optional(boolean, 'Skips the check of the TLS certificate.'),
  jsonBody: optional(any, 'Body to send as JSON.'),
  authentication: optional(authentication, 'How to authenticate.'),
}

export const web = optional(object(webFields), 'Calls an HTTP service.')

export const datadog = optional(
  object({
    interval: optional(stringWithDefault('5m'), 'Time span that the query looks back over.'),
    query: optional(string, 'One query; with apiVersion v2 alternatively queries.'),
    apiVersion: optional(oneOf(['v1', 'v2'], { default: 'v1' }), 'Version of the Datadog API.'),
    queries: optional(map(string), 'Named queries that the formula joins.'),
    formula: optional(string, 'Joins the named queries.'),
    aggregator: optional(
      oneOf(['avg', 'min', 'max', 'sum', 'last', 'percentile', 'mean', 'l2norm', 'area']),
      'How a series becomes one number.',
    ),
    secretRef: optional(
      object({
        name: optional(string, 'Name of the Secret with the keys.'),
        namespaced: optional(
          boolean,
          'True: in the namespace of the run. Otherwise in that of the controller.',
        ),
      }),
      'Where the keys for Datadog are.',
    ),
    requestTimeout: optional(
      stringWithDefault('10s'),
      'Duration after which a request is given up.',
    ),
  }),
  'Queries Datadog.',
)

export const influxdb = optional(
  object({
    profile: optional(string, 'Name of the Secret with address, organisation and token.'),
    query: optional(string, 'Flux query.'),
  }),
  'Queries InfluxDB.',
)

const graphiteFields = {
  ...addressAndQuery,
  authentication: optional(tlsOnly, 'How to authenticate.'),
}

export const graphite = optional(object(graphiteFields), 'Queries Graphite.')

export const skywalking = optional(
  object({
    ...addressAndQuery,
    interval: optional(string, 'Time span that the query looks back over.'),
    authentication: optional(tlsOnly, 'How to authenticate.'),
  }),
  'Queries Apache SkyWalking.',
)

/** As it stands at the provider itself, which there is spelled out: eight times more, and the CRDs were half as large again. */
const asAtTheProvider = 'How to authenticate: as at the provider of that name.'

/** Providers that answer with plain numbers, as part of another provider. Exactly one. */
export const numberSource = object({
  prometheus: optional(
    object({
      ...prometheusFields,
      authentication: optional(openInCrd(authentication), asAtTheProvider),
    }),
    'Queries Prometheus.',
  ),
  graphite: optional(
    object({ ...graphiteFields, authentication: optional(openInCrd(tlsOnly), asAtTheProvider) }),
    'Queries Graphite.',
  ),
  influxdb,
  datadog,
  web: optional(
    object({ ...webFields, authentication: optional(openInCrd(authentication), asAtTheProvider) }),
    'Calls an HTTP service.',
  ),
})
