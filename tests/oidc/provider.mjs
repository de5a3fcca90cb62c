// A real OpenID Connect provider for the tests, with a user who logs in.
//
// Each line of standard input is an algorithm: a provider starts, at the same address as the one before but with a new
// key of that algorithm as its only one, and one line of JSON on standard output says its issuer, the audience and an ID
// token. The end of the input ends the process.
import { generateKeyPair, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Provider } from 'oidc-provider';
import { CLIENT, REDIRECT, USER, idToken } from './app.mjs';

const KEYS = {
  RS256: ['rsa', { modulusLength: 2048 }],
  PS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}],
};

async function start(issuer, alg) {
  const { privateKey } = await promisify(generateKeyPair)(...KEYS[alg]);
  return new Provider(issuer, {
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg }] },
    clients: [{
      client_id: CLIENT,
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      redirect_uris: [REDIRECT],
      id_token_signed_response_alg: alg,
    }],
    enabledJWA: { idTokenSigningAlgValues: Object.keys(KEYS) },
    cookies: { keys: [randomUUID()] },
    claims: { profile: ['name', 'picture'] },
    // Without it the name would be at the userinfo endpoint only, where we do not look.
    conformIdTokenClaims: false,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...USER.profile }) }),
  }).callback();
}

let answer;
const server = createServer((request, response) => answer(request, response)).listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;
for await (const line of createInterface({ input: process.stdin })) {
  answer = await start(issuer, line.trim());
  console.log(JSON.stringify({ issuer, audience: CLIENT, id_token: await idToken(issuer) }));
}
// Connections that are kept alive would keep the process.
process.exit();
