// An OpenID provider on a free port of the loopback interface, for the tests of tests/integration/test_oidc_provider.py.
//
// It is told what to do by words on standard input, one a line, and answers each with one line of JSON on standard
// output; the first line, without being asked, is where it is. When its input ends, it ends.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import Provider from 'oidc-provider';

// A client is named after the algorithm that its access tokens are signed with.
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'];
const SCOPES = 'orders:read orders:write';

const newKey = (type, options) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
  kid: randomUUID(),
  use: 'sig',
});

// The RSA key has no `alg`, and signs RS256 and PS256.
const newKeys = () => [
  newKey('rsa', { modulusLength: 2048 }),
  newKey('ec', { namedCurve: 'P-256' }),
  newKey('ed25519'),
];

const configuration = () => ({
  jwks: { keys },
  scopes: ['openid', ...SCOPES.split(' ')],
  clients: [
    ...ALGORITHMS.map((algorithm) => ({
      client_id: algorithm,
      client_secret: 'no secret',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      scope: SCOPES,
    })),
    { client_id: 'web', client_secret: 'no secret', redirect_uris: ['https://web.example.com/callback'] },
  ],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource, client) => ({
        scope: SCOPES,
        audience: resource,
        accessTokenTTL: 3600,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: client.clientId } },
      }),
    },
  },
  ttl: { ClientCredentials: 3600, IdToken: 3600 },
});

let keys = newKeys();
let provider;
let handle;
const server = createServer((request, response) => handle(request, response));

const start = () => {
  provider = new Provider(issuer, configuration());
  handle = provider.callback();
};

const commands = {
  // New keys sign from now on; those of before are still published.
  rotate: () => {
    keys = [...newKeys(), ...keys];
    start();
    return { keys: keys.map(({ kid }) => kid) };
  },
  // Nobody listens any more: connections are refused.
  down: async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
    return {};
  },
  up: async () => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return {};
  },
  // What the client `web` would get after a login, without the pages of a login.
  id_token: async () => {
    const client = await provider.Client.find('web');
    const token = new provider.IdToken({ sub: 'alice' }, { client });
    token.scope = 'openid';
    return { token: await token.issue({ use: 'idtoken' }) };
  },
};

server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address();
const issuer = `http://127.0.0.1:${port}`;
start();
console.log(JSON.stringify({ issuer }));
for await (const word of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await commands[word]()));
}
process.exit();
