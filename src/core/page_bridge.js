// Inside WeChat: its own dialog asks the buyer for the payment. What it answers proves nothing.

// Resolves to WeChat's answer; calls deaf() when it is not there after 5 s, and goes on waiting.
function askWeChat(params, deaf) {
  return new Promise((resolve) => {
    const late = setTimeout(deaf, 5000);
    const call = () => {
      clearTimeout(late);
      window.WeixinJSBridge.invoke('getBrandWCPayRequest', params, (reply) => resolve(reply || {}));
    };
    if (window.WeixinJSBridge) {
      call();
    } else {
      document.addEventListener('WeixinJSBridgeReady', call, {once: true});
    }
  });
}

// WeChat refuses to pay from a mini program's web-view. It says so only once its bridge is there.
function inMiniProgram() {
  return window.__wxjs_environment === 'miniprogram' || /miniprogram/i.test(navigator.userAgent);
}

// How it ended, as the name of our words for it, and WeChat's own words.
function readAnswer(reply) {
  const text = [reply.err_msg, reply.err_desc, reply.errMsg].filter((part) => part).join(' ');
  const known = [
    [/:ok\b/, 'confirming'],
    [/:cancel\b/, 'cancelled'],
    [/total_fee|prepay_?id|过期|expired/i, 'failedStale'],
    [/未注册|not registered|access_denied|permission/i, 'failedUrl'],
    [/不一致|openid|other account/i, 'failedOther'],
    [/not_?exist|not support/i, 'failedOld'],
  ].find((entry) => entry[0].test(text));
  const name = known ? known[1] : 'failed';
  return {name: name, own: name.startsWith('failed') ? text.slice(0, 200) : ''};
}
