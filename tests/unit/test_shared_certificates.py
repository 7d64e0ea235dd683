"""Whom Prefect's clients trust is read once in a process."""

import ssl

import prefect._internal.version_checking as version_checking
import prefect.client.orchestration as orchestration
import pytest
from prefect.client.orchestration import PrefectClient, SyncPrefectClient
from prefect.settings import PREFECT_API_SSL_CERT_FILE, PREFECT_API_TLS_INSECURE_SKIP_VERIFY, temporary_settings

from deployments.shared_certificates import share_certificates

API = "https://prefect.acme.com/api"


@pytest.fixture
def sharing(monkeypatch):
    for module in (orchestration, version_checking):  # set to what it is, so that it is taken back after the test
        monkeypatch.setattr(module, "ssl", module.ssl)
    share_certificates()


def trusted_by(client) -> ssl.SSLContext:
    return client._client._transport._pool._ssl_context


def test_all_clients_share_what_was_read(sharing):
    one, other, of_threads = PrefectClient(API), PrefectClient(API), SyncPrefectClient(API)

    assert trusted_by(one) is trusted_by(other) is trusted_by(of_threads)
    assert trusted_by(one).verify_mode is ssl.CERT_REQUIRED
    assert trusted_by(one).check_hostname


def test_those_of_a_company_of_its_own_are_trusted_in_their_place(sharing, tmp_path):
    usual = PrefectClient(API)
    own = tmp_path / "own.pem"
    own.write_text(ssl.DER_cert_to_PEM_cert(trusted_by(usual).get_ca_certs(binary_form=True)[0]))
    with temporary_settings({PREFECT_API_SSL_CERT_FILE: str(own)}):
        client = PrefectClient(API)

    assert trusted_by(client).cert_store_stats()["x509"] == 1
    assert trusted_by(usual).cert_store_stats()["x509"] > 1


def test_a_client_that_is_to_trust_everybody_makes_no_other_one_do_so(sharing):
    with temporary_settings({PREFECT_API_TLS_INSECURE_SKIP_VERIFY: True}):
        trusting = PrefectClient(API)

    assert trusted_by(trusting).verify_mode is ssl.CERT_NONE
    assert trusted_by(PrefectClient(API)).verify_mode is ssl.CERT_REQUIRED
