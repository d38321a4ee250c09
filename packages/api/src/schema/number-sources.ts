import {
  any,
  boolean,
  int64,
  list,
  map,
  object,
  oneOf,
  optional,
  required,
  string,
  stringWithDefault,
  word,
} from './typed-schema.ts'

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
      scopes: optional(list(string), 'Scopes to ask for.'),
    }),
    'Obtains a token by OAuth2 client credentials.',
  ),
  basicAuth: optional(
    object({
      username: optional(string, 'User name.'),
      password: optional(string, 'Password.'),
    }),
    'HTTP basic authentication.',
  ),
})

const headers = list(
  object({
    key: required(string, 'Name of the header.'),
    value: required(string, 'Its value.'),
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

export const prometheus = optional(
  object({
    ...addressAndQuery,
    authentication: optional(authentication, 'How to authenticate.'),
    timeout: optional(int64, 'Seconds after which the query is given up.'),
    insecure: optional(boolean, 'Skips the check of the TLS certificate.'),
    headers: optional(headers, 'Headers to send.'),
    rangeQuery: optional(rangeQuery, 'Asks for a range instead of an instant.'),
  }),
  'Queries Prometheus.',
)

export const web = optional(
  object({
    method: optional(word('GET', 'POST', 'PUT'), 'GET (default), POST or PUT.'),
    url: required(string, 'Address to call.'),
    headers: optional(headers, 'Headers to send.'),
    body: optional(string, 'Body to send as it is.'),
    timeoutSeconds: optional(int64, 'Seconds after which the call is given up; 10 by default.'),
    jsonPath: optional(string, 'JSONPath of the value in the answer; {$} by default.'),
    insecure: optional(boolean, 'Skips the check of the TLS certificate.'),
    jsonBody: optional(any, 'Body to send as JSON.'),
    authentication: optional(authentication, 'How to authenticate.'),
  }),
  'Calls an HTTP service.',
)

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

export const graphite = optional(object(addressAndQuery), 'Queries Graphite.')
