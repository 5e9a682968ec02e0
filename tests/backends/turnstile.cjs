// A back end with `cf-turnstile` from npm, unchanged but for its address:
//
//     turnstile.cjs FOLDER VERIFY_URL SECRET TOKEN HOSTNAME ACTION    prints what it found, as JSON

const [folder, apiUrl, secret, token, hostname, action] = process.argv.slice(2);
const turnstile = require(`${folder}/node_modules/cf-turnstile`);

turnstile(secret, { apiUrl, hostname, action })(token).then((found) => console.log(JSON.stringify(found)));
