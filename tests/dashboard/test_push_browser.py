"""Notifications in Chromium: turned on, shown by the service worker, and turned off."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy.orm import Session

from spotter.database.people_tables import PushRow

from . import test_browser, test_push
from .gym import Gym
from .people import only
from .test_browser import Visit

chromium, address = test_browser.browser, test_browser.address
hook, receiver, settings = test_push.hook, test_push.receiver, test_push.settings

# Chromium's own push service is Google's; what it would answer is given, and what it would send is delivered.
SUBSCRIBED = """
  const given = %s;
  const plain = (text) => text.replaceAll("-", "+").replaceAll("_", "/");
  const kept = () => ({
    endpoint: given.endpoint, unsubscribe: async () => { localStorage.removeItem("subscribed"); return true; },
    getKey: (name) => Uint8Array.from(atob(plain(given[name])), (one) => one.charCodeAt(0)).buffer,
  });
  PushManager.prototype.subscribe = async () => { localStorage.setItem("subscribed", "1"); return kept(); };
  PushManager.prototype.getSubscription = async () => (localStorage.getItem("subscribed") ? kept() : null);
"""


def test_in_chromium_it_is_turned_on_shown_and_turned_off(
    gym: Gym,
    chromium: Any,
    address: str,
    receiver: test_push.Receiver,
) -> None:
    gym.add("Olga", "owner")
    visit = Visit(chromium, address)
    visit.context.grant_permissions(["notifications"])
    visit.page.add_init_script(SUBSCRIBED % json.dumps(receiver.subscription()))
    visit.sign_in()
    visit.go("/account/notifications")
    assert visit.axe() == []
    visit.page.get_by_label("People wait").uncheck()
    visit.page.get_by_role("button", name="Turn notifications on").click()
    visit.says("#said", "Notifications are on in this browser.")
    assert visit.axe() == []
    with Session(gym.engine) as session:
        assert "queue" not in session.query(PushRow).one().kinds
    protocol = visit.context.new_cdp_session(visit.page)
    registered: list[dict[str, Any]] = []
    protocol.on("ServiceWorker.workerRegistrationUpdated", lambda told: registered.extend(told["registrations"]))
    protocol.send("ServiceWorker.enable")
    visit.page.wait_for_timeout(300)
    sent = json.dumps({"title": "In the way", "body": "floor", "url": "/alerts#alert-1", "tag": "1"})
    which = {"origin": address, "registrationId": registered[-1]["registrationId"], "data": sent}
    protocol.send("ServiceWorker.deliverPushMessage", which)
    shown = visit.page.wait_for_function(
        """async () => {
          const registration = await navigator.serviceWorker.getRegistration("/static/js/push-worker.js");
          return (await registration.getNotifications()).map((one) => [one.title, one.data.url])[0];
        }"""
    )
    assert shown.json_value() == ["In the way", "/alerts#alert-1"]
    visit.page.get_by_role("button", name="Stop").click()
    visit.page.wait_for_load_state()
    assert only(gym, PushRow) == []
    assert visit.page.evaluate("localStorage.getItem('subscribed')") is None
    assert visit.wrong == []
    visit.context.close()
