// A real identity provider for one test: prints its issuer, reads the one address that may be come
// back to, says `ready`, and serves until its input ends.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

// Where npm put it: imports by name look beside this file only.
const require = createRequire(`${process.env.OIDC_PROVIDER}/`);
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href);

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  console.log(issuer);
  const input = createInterface({ input: process.stdin });
  input.once('line', (redirect) => {
    const provider = new Provider(issuer, {
      clients: [{ client_id: 'nutshell', client_secret: 'a client secret', redirect_uris: [redirect] }],
      scopes: ['openid', 'profile', 'email'],
      claims: { profile: ['preferred_username'], email: ['email'] },
      pkce: { required: () => true },
      findAccount: (_, id) => ({
        accountId: id,
        claims: () => ({ sub: id, preferred_username: id, email: `${id}@example.org` }),
      }),
    });
    server.on('request', provider.callback());
    console.log('ready');
  });
  input.once('close', () => process.exit(0));
});
