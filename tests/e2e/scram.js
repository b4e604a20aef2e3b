// Connects with SCRAM-SHA-256 (RFC 7677) and proves it again. Arguments: the folder of mqtt.js, port, user, password.
// Prints what came of it: `proved`, `proved again`, or `refused CODE`.
const [, , folder, port, user, password] = process.argv;
const mqtt = require(folder);
const { createHash, createHmac, pbkdf2Sync, randomBytes } = require('node:crypto');

const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
const method = 'SCRAM-SHA-256';
let first, signature;

function begin() {
  first = `n=${user},r=${randomBytes(18).toString('base64')}`;
  return Buffer.from(`n,,${first}`);
}

function prove(challenge) {
  const fields = Object.fromEntries(challenge.split(',').map((field) => [field[0], field.slice(2)]));
  const salted = pbkdf2Sync(password, Buffer.from(fields.s, 'base64'), Number(fields.i), 32, 'sha256');
  const last = `c=biws,r=${fields.r}`;
  const message = [first, challenge, last].join(',');
  const key = hmac(salted, 'Client Key');
  const mask = hmac(createHash('sha256').update(key).digest(), message);
  signature = `v=${hmac(hmac(salted, 'Server Key'), message).toString('base64')}`;
  return Buffer.from(`${last},p=${key.map((byte, index) => byte ^ mask[index]).toString('base64')}`);
}

const says = (data, what) => console.log(data?.toString() === signature ? what : `the server does not know ${user}`);

const client = mqtt.connect({
  port: Number(port),
  protocolVersion: 5,
  reconnectPeriod: 0,
  properties: { authenticationMethod: method, authenticationData: begin() },
});
client.handleAuth = (packet, answer) => {
  if (packet.reasonCode === 0) {
    says(packet.properties.authenticationData, 'proved again');
    client.end();
    return;
  }
  const authenticationData = prove(packet.properties.authenticationData.toString());
  answer(null, { cmd: 'auth', reasonCode: 0x18, properties: { authenticationMethod: method, authenticationData } });
};
client.on('connect', (connack) => {
  says(connack.properties.authenticationData, 'proved');
  const properties = { authenticationMethod: method, authenticationData: begin() };
  client._sendPacket({ cmd: 'auth', reasonCode: 0x19, properties });
});
client.on('error', (error) => {
  console.log(`refused ${error.code}`);
  client.end(true);
});
