'use strict';

// Asks an implementation that shares nothing with this project. One question as JSON on standard
// input, one answer as JSON on standard output; tests/httpd/judge.py asks.

const tenpay = require('tenpay');
const { Wechatpay, Transformer, Hash } = require('wechatpay-axios-plugin');
const { Webhook } = require('standardwebhooks');

const merchantOf = (q) => ({ appid: q.appid, mchid: q.mch_id, partnerKey: q.key });

const questions = {
  /** Calls the gateway: signs the request, verifies the reply. */
  async wechatpay_call(q) {
    const client = new Wechatpay({
      baseURL: q.gateway, mchid: q.mch_id, secret: q.key,
      // API v3's; the constructor wants them.
      serial: 'none', privateKey: Buffer.from(''), certs: { any: Buffer.from('') },
    }).client.v2;
    const reply = await client.post(`/pay/${q.call}`, { mch_id: q.mch_id, ...q.fields });
    return { fields: reply.data };
  },

  async tenpay_call(q) {
    const client = tenpay.init(merchantOf(q));
    const path = q.call.toLowerCase();
    client.urls[path] = `${q.gateway}/pay/${path}`;
    return { fields: await client[q.call](q.fields) };
  },

  /** Reads a notification or an answer; `genuine`: its signature is right. */
  async wechatpay_read(q) {
    const fields = Transformer.toObject.call({}, q.xml);
    const type = q.sign_type || Hash.ALGO_MD5;
    return { fields, genuine: Hash.equals(Hash.sign(type, fields, q.key), fields.sign) };
  },

  async tenpay_read(q) {
    const context = { request: { body: q.xml } };
    await tenpay.init(merchantOf(q)).middleware()(context, async () => {});
    return { fields: context.request.weixin, genuine: Boolean(context.request.weixin),
      answer: context.body };
  },

  /** Signs fields and writes them as a notification. */
  async wechatpay_write(q) {
    const trans = new Transformer(q.mch_id, Hash.keyObjectFrom(Buffer.from(q.key)));
    return { xml: Transformer.toXml.call({}, trans.signer.call({}, q.fields)) };
  },

  /** What paySign the page's parameters should have. */
  async wechatpay_pay_sign(q) {
    const { paySign, ...signed } = q.params;
    return { pay_sign: Hash.sign(signed.signType, signed, q.key) };
  },

  /** Verifies a delivery; the package takes headers of any case. */
  async webhook_verify(q) {
    return { event: new Webhook(q.secret).verify(q.body, q.headers) };
  },
};

async function main() {
  let text = '';
  for await (const chunk of process.stdin) { text += chunk; }
  const question = JSON.parse(text);
  let answer;
  try {
    answer = await questions[question.ask](question);
  } catch (error) {
    answer = { error: error.message, code: error.code, fields: error.response && error.response.data };
  }
  process.stdout.write(JSON.stringify(answer));
}

main();
